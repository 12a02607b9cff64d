use super::super::Scope;
use super::super::context::{Budget, Context};
use super::super::evaluate::Frame;
use super::super::path::Path;
use super::FUNCTIONS;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

/// Evaluates an expression with one parameter `p`.
fn evaluate(expression: &str, parameter: &Json) -> Result<Json, String> {
    let template = json!({ "parameters": { "p": { "type": "object" } }, "resources": [] });
    let scope = Scope {
        subscription_id: "s".into(),
        tenant_id: "t".into(),
        resource_group: "g".into(),
        location: "westeurope".into(),
        deployment_name: "d".into(),
        utc_now: "20261124T000000Z".into(),
        seed: 1,
    };
    let given: Map<String, Json> = [("p".to_owned(), json!({ "value": parameter }))].into_iter().collect();
    let budget = Budget::new(1);
    let context = Context::new(template.as_object().unwrap(), &given, &scope, &budget).unwrap();
    let value = context.json(&json!(format!("[{expression}]")), &Frame::default(), &Path::Start("here"));
    value.map(|value| value.to_json()).map_err(|error| error.to_string())
}

fn gives(cases: &[(&str, Json)]) {
    let parameter = json!({ "list": [3, 1, 2], "words": ["b", "a", "b"], "map": { "x": 1, "y": { "z": [true] } } });
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression, &parameter).as_ref(), Ok(expected), "{expression}");
    }
}

#[test]
fn strings() {
    gives(&[
        ("concat('a', 1, true(), 'b')", json!("a1Trueb")),
        ("format('{0}/{1}-{{}}-{0}', 'a', 2)", json!("a/2-{}-a")),
        ("toLower('ABC')", json!("abc")),
        ("toUpper('abc')", json!("ABC")),
        ("trim('  a ')", json!("a")),
        ("replace('a-b-c', '-', '')", json!("abc")),
        ("split('a,b;c', createArray(',', ';'))", json!(["a", "b", "c"])),
        ("split('', ',')", json!([""])),
        ("join(parameters('p').words, '+')", json!("b+a+b")),
        ("substring('abcdef', 2, 3)", json!("cde")),
        ("substring('abc', 3)", json!("")),
        ("padLeft('7', 3, '0')", json!("007")),
        ("startsWith('Device', 'dev')", json!(true)),
        ("endsWith('Device', 'ICE')", json!(true)),
        ("indexOf('a.B.b', '.b')", json!(1)),
        ("lastIndexOf('a.B.b', '.b')", json!(3)),
        ("indexOf('a', 'x')", json!(-1)),
        ("base64('é')", json!("w6k=")),
        ("base64ToString('w6k=')", json!("é")),
        ("base64ToJson(base64('[1]'))", json!([1])),
        ("uriComponent('a b/é')", json!("a%20b%2F%C3%A9")),
        ("uriComponentToString('a%20b%2f%C3%A9%zz')", json!("a b/é%zz")),
        ("uri('https://host/a/b', '/c')", json!("https://host/a/c")),
        ("uri('https://host', 'c')", json!("https://host/c")),
        ("string(createObject('a', createArray(1, null())))", json!(r#"{"a":[1,null]}"#)),
        ("json('{\"a\": 1.5}').a", json!(1.5)),
        ("length(uniqueString('a', 'b'))", json!(13)),
        ("equals(uniqueString('a'), uniqueString('b'))", json!(false)),
        ("equals(newGuid(), newGuid())", json!(false)),
        ("length(guid('a'))", json!(36)),
        ("guid('a', 'b')", json!(evaluate("guid('a-b')", &json!({})).unwrap())),
    ]);
}

#[test]
fn lists_and_objects() {
    gives(&[
        ("length(parameters('p').list)", json!(3)),
        ("length(parameters('P').MAP)", json!(2)),
        ("first('abc')", json!("a")),
        ("last(parameters('p').list)", json!(2)),
        ("first(createArray())", json!(null)),
        ("skip(parameters('p').list, 2)", json!([2])),
        ("take('abc', 2)", json!("ab")),
        ("contains(parameters('p').words, 'a')", json!(true)),
        ("contains(parameters('p').map, 'X')", json!(true)),
        ("contains('abc', 'B')", json!(false)),
        ("empty(createObject())", json!(true)),
        ("empty(null())", json!(true)),
        ("coalesce(null(), 'a', 'b')", json!("a")),
        ("concat(parameters('p').list, createArray(9))", json!([3, 1, 2, 9])),
        ("union(parameters('p').words, createArray('c'))", json!(["b", "a", "c"])),
        ("union(parameters('p').map, json('{\"y\": {\"w\": 2}}'))", json!({ "x": 1, "y": { "z": [true], "w": 2 } })),
        ("intersection(parameters('p').words, createArray('a'))", json!(["a"])),
        ("shallowMerge(createArray(parameters('p').map, createObject('y', 1)))", json!({ "x": 1, "y": 1 })),
        ("items(createObject('b', 1, 'a', 2))", json!([{ "key": "a", "value": 2 }, { "key": "b", "value": 1 }])),
        ("objectKeys(parameters('p').map)", json!(["x", "y"])),
        ("tryGet(parameters('p'), 'map', 'y', 'z', 0)", json!(true)),
        ("tryGet(parameters('p'), 'none', 'y')", json!(null)),
        ("tryIndexFromEnd(parameters('p').list, 1)", json!(2)),
        ("indexFromEnd(parameters('p').list, 3)", json!(3)),
        ("flatten(createArray(createArray(1), createArray(2, 3)))", json!([1, 2, 3])),
        ("array('a')", json!(["a"])),
        ("parameters('p').list[1]", json!(1)),
        ("parameters('p')['map'].y.z[0]", json!(true)),
        ("range(3, 2)", json!([3, 4])),
    ]);
}

#[test]
fn numbers_and_logic() {
    gives(&[
        ("add(1, mul(2, sub(5, 1)))", json!(9)),
        ("div(7, 2)", json!(3)),
        ("mod(7, 2)", json!(1)),
        ("int('-12')", json!(-12)),
        ("min(parameters('p').list)", json!(1)),
        ("max(1, 5, 2)", json!(5)),
        ("if(equals('a', 'a'), 'yes', div(1, 0))", json!("yes")),
        ("and(true(), not(false()), bool('TRUE'))", json!(true)),
        ("or(false(), false())", json!(false)),
        ("less('a', 'b')", json!(true)),
        ("greaterOrEquals(2, 2)", json!(true)),
        ("equals('a', 'A')", json!(false)),
    ]);
}

#[test]
fn lambdas() {
    gives(&[
        ("map(parameters('p').list, lambda('n', mul(lambdaVariables('n'), 10)))", json!([30, 10, 20])),
        (
            "map(parameters('p').words, lambda('w', 'i', concat(lambdaVariables('i'), lambdaVariables('w'))))",
            json!(["0b", "1a", "2b"]),
        ),
        ("filter(parameters('p').list, lambda('n', greater(lambdaVariables('n'), 1)))", json!([3, 2])),
        (
            "reduce(parameters('p').list, 0, lambda('sum', 'n', add(lambdaVariables('sum'), lambdaVariables('n'))))",
            json!(6),
        ),
        (
            "sort(parameters('p').list, lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))",
            json!([1, 2, 3]),
        ),
        (
            "toObject(parameters('p').words, lambda('w', lambdaVariables('w')), lambda('w', 1))",
            json!({ "a": 1, "b": 1 }),
        ),
        ("groupBy(parameters('p').words, lambda('w', lambdaVariables('w')))", json!({ "a": ["a"], "b": ["b", "b"] })),
        ("mapValues(createObject('a', 1), lambda('v', string(lambdaVariables('v'))))", json!({ "a": "1" })),
        (
            "map(createArray(1), lambda('a', map(createArray(2), lambda('b', add(lambdaVariables('a'), lambdaVariables('b'))))))",
            json!([[3]]),
        ),
        ("length(sort(range(0, 100), lambda('a', 'b', true())))", json!(100)),
    ]);
}

#[test]
fn the_scope_is_told() {
    let client = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/namespaces/n/clients/c";
    gives(&[
        ("resourceGroup().name", json!("g")),
        ("resourceGroup().location", json!("westeurope")),
        ("subscription().subscriptionId", json!("s")),
        ("tenant().tenantId", json!("t")),
        ("deployment().name", json!("d")),
        ("utcNow()", json!("20261124T000000Z")),
        ("resourceId('Microsoft.EventGrid/namespaces/clients', 'n', 'c')", json!(client)),
        ("resourceId('other', 'P/t', 'n')", json!("/subscriptions/s/resourceGroups/other/providers/P/t/n")),
        ("resourceId('x', 'other', 'P/t', 'n')", json!("/subscriptions/x/resourceGroups/other/providers/P/t/n")),
        ("subscriptionResourceId('P/t', 'n')", json!("/subscriptions/s/providers/P/t/n")),
        ("extensionResourceId('/subscriptions/s', 'P/t', 'n')", json!("/subscriptions/s/providers/P/t/n")),
    ]);
}

#[test]
fn errors_say_what_and_what_to_do() {
    for (expression, words) in [
        ("concatt('a')", "is concat() meant?"),
        ("frobnicate()", "there is no function frobnicate()"),
        ("add(1)", "add(): 1 arguments; give 2"),
        ("add('1', 2)", "argument 1 is a string; give an int"),
        ("div(1, 0)", "div(): 1 and 0"),
        ("substring('abc', 1, 5)", "not in a string of 3"),
        ("parameters('q')", "no parameter 'q'"),
        ("parameters('p').lists", "is 'list' meant?"),
        ("parameters('p').list[7]", "no item 7"),
        ("variables('v')", "no variable 'v'"),
        ("reference('x')", "no resource is there yet"),
        ("copyIndex()", "not in a loop"),
        ("format('{0', 'a')", "'{' without its '}'"),
        ("format('{1}', 'a')", "no argument"),
        ("lambdaVariables('x')", "no lambda here has a variable 'x'"),
        ("map(createArray(1), 'x')", "no lambda"),
        ("resourceId('Microsoft.EventGrid/namespaces', 'a', 'b')", "2 names"),
        ("json('{')", "not JSON"),
        ("if(1, 2, 3)", "the condition is an int"),
    ] {
        let error = evaluate(expression, &json!({ "list": [] })).unwrap_err();
        assert!(error.starts_with("here: ") && error.contains(words), "{expression}: {error}");
    }
}

/// Calls of any function, with any number of arguments that are calls and constants.
fn calls() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("''".to_owned()),
        Just("'a,b{0}/c'".to_owned()),
        Just("'P/t'".to_owned()),
        Just("null()".to_owned()),
        Just("parameters('p')".to_owned()),
        Just("parameters('p').list".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        (-3_i64..10).prop_map(|number| number.to_string()),
        "'[ -~&&[^']]{0,8}'",
    ];
    let names =
        FUNCTIONS.iter().map(|function| function.name).chain(["map", "filter", "sort", "reduce", "resourceId", "if"]);
    let name = proptest::sample::select(names.collect::<Vec<_>>());
    leaf.prop_recursive(4, 40, 4, move |inner| {
        let arguments = proptest::collection::vec(inner, 0..4);
        (name.clone(), arguments, any::<bool>()).prop_map(|(name, mut arguments, lambda)| {
            if lambda {
                arguments.push("lambda('x', lambdaVariables('x'))".to_owned());
            }
            format!("{name}({})", arguments.join(", "))
        })
    })
}

proptest! {
    #[test]
    fn any_call_ends_in_a_value_or_in_words(expression in calls()) {
        if let Err(error) = evaluate(&expression, &json!({ "list": [2, "a", null, [1], { "b": true }] })) {
            prop_assert!(error.contains("; "), "{expression}: {error}");
        }
    }

    #[test]
    fn any_text_is_an_expression_or_none(text in "[\\[\\]'().,a-c0-9 é-]{0,40}") {
        let _ = evaluate(&text, &json!({}));
    }
}

#[test]
fn nothing_grows_without_end() {
    for expression in [
        "padLeft('', 2000000000)",
        "range(0, 2000000000)",
        "reduce(range(0, 64), 'x', lambda('a', 'b', concat(lambdaVariables('a'), lambdaVariables('a'))))",
        "reduce(range(0, 64), createArray(1), lambda('a', 'b', concat(lambdaVariables('a'), lambdaVariables('a'))))",
        "reduce(range(0, 64), 'ab', lambda('a', 'b', replace(lambdaVariables('a'), 'a', 'aaaaaaaaaaaaaaaaaaaa')))",
        "length(reduce(range(0, 64), createArray(1), lambda('a', 'b', createArray(lambdaVariables('a'), lambdaVariables('a')))))",
        "length(reduce(range(0, 100000), createArray(1), lambda('a', 'b', createArray(lambdaVariables('a')))))",
        "map(range(0, 200000), lambda('a', map(range(0, 200000), lambda('b', 1))))",
    ] {
        let error = evaluate(expression, &json!({})).unwrap_err();
        assert!(error.contains("more than"), "{expression}: {error}");
    }
}
