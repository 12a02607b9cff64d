use proptest::prelude::*;

use super::*;

fn topic(text: &str) -> TopicName {
    TopicName::try_from(text).unwrap()
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::try_from(text).unwrap()
}

fn user(name: &str) -> Party<'_> {
    Party { user: Some(name), client_id: "c1" }
}

const NOBODY: Party<'_> = Party { user: None, client_id: "c1" };

fn publishes(access: &Access, party: Party<'_>, to: &str) -> bool {
    access.decide(&access.applicable(party), party, Wanted::Publish(&topic(to))).is_allowed()
}

fn subscribes(access: &Access, party: Party<'_>, to: &str) -> bool {
    access.decide(&access.applicable(party), party, Wanted::Subscribe(&filter(to))).is_allowed()
}

fn words(access: &Access, party: Party<'_>, wanted: Wanted<'_>) -> String {
    access.decide(&access.applicable(party), party, wanted).explanation().to_string()
}

#[test]
fn the_first_rule_that_matches_decides_and_what_none_matches_is_denied() {
    let access = Access::parse(
        r#"
        group operators = alice bob

        deny  everyone         publish   plant/locked/#
        allow group operators  all       plant/#
        allow user carol       subscribe plant/+/temperature public/#
        allow client "c1"      publish   by-client
        allow anonymous        subscribe public/#
        "#,
    )
    .unwrap();
    assert!(publishes(&access, user("alice"), "plant/1/speed"));
    assert!(!publishes(&access, user("alice"), "plant/locked/1"));
    assert!(subscribes(&access, user("alice"), "plant/#"), "publishing alone is denied there");
    assert!(subscribes(&access, user("carol"), "plant/7/temperature"));
    assert!(!subscribes(&access, user("carol"), "plant/7/speed"));
    assert!(!publishes(&access, user("carol"), "plant/7/temperature"));
    assert!(publishes(&access, NOBODY, "by-client"));
    assert!(!publishes(&access, Party { user: Some("alice"), client_id: "c2" }, "by-client"));
    assert!(subscribes(&access, NOBODY, "public/#"));
    assert!(!subscribes(&access, user("alice"), "public/#"), "anonymous is not everyone");
    assert!(!subscribes(&access, NOBODY, "#"));
    assert!(!publishes(&Access::default(), user("alice"), "a"), "no rule allows nothing");
}

#[test]
fn a_subscription_that_could_get_what_is_denied_is_refused() {
    let access = Access::parse("deny everyone subscribe a/secret/#\nallow everyone all #").unwrap();
    for denied in ["a/secret", "a/secret/b", "a/#", "#", "+/secret", "+/+/x"] {
        assert!(!subscribes(&access, user("u"), denied), "{denied}");
    }
    for allowed in ["a/b", "a/b/#", "a/+/c/d".replace("+", "b").as_str(), "b/#", "a", "+"] {
        assert!(subscribes(&access, user("u"), allowed), "{allowed}");
    }
    let access = Access::parse("allow user admin all #\ndeny everyone all a/secret/#\nallow everyone all #").unwrap();
    assert!(subscribes(&access, user("admin"), "#"));
    assert!(!subscribes(&access, user("u"), "#"));
}

#[test]
fn variables_stand_for_the_client() {
    let access = Access::parse(
        "deny everyone publish d/+/locked/${client.id}\n\
         allow users publish d/${client.authenticationName}/# c/${client.id}",
    )
    .unwrap();
    assert!(publishes(&access, user("pump"), "d/pump/x"));
    assert!(!publishes(&access, user("pump"), "d/valve/x"));
    assert!(publishes(&access, user("pump"), "c/c1"));
    assert!(!publishes(&access, user("pump"), "d/pump/locked/c1"));
    assert!(publishes(&access, user("pump"), "d/pump/locked/c2"));
    assert!(!publishes(&access, NOBODY, "d//x"), "an unproven name is none");
    for wild in ["+", "#", "a/b", ""] {
        let party = Party { user: Some("pump"), client_id: wild };
        assert!(!publishes(&access, party, "c/c1"), "{wild}");
        assert!(!publishes(&access, party, "d/pump/locked/c1"), "what cannot be filled in denies for all: {wild}");
        assert!(!publishes(&access, Party { user: Some(wild), client_id: "c1" }, "d/x/y"), "{wild}");
    }
}

#[test]
fn all_of_whom_a_rule_names_must_hold() {
    let access = Access::parse("allow user a client \"c 2\" all #").unwrap();
    assert!(publishes(&access, Party { user: Some("a"), client_id: "c 2" }, "t"));
    assert!(!publishes(&access, Party { user: Some("a"), client_id: "c1" }, "t"));
    assert!(!publishes(&access, Party { user: Some("b"), client_id: "c 2" }, "t"));
}

#[test]
fn a_wildcard_allows_nothing_that_begins_with_a_dollar() {
    let access = Access::parse("allow everyone all #\nallow user admin all $SYS/#").unwrap();
    assert!(!publishes(&access, user("a"), "$SYS/x"));
    assert!(!subscribes(&access, user("a"), "$SYS/#"));
    assert!(subscribes(&access, user("admin"), "$SYS/#"));
}

#[test]
fn decisions_say_which_line_made_them() {
    let text = "deny everyone publish plant/locked/#\nallow user a all plant/#\nallow user b subscribe plant/1/#";
    let access = Access::parse(text).unwrap();
    let (a, b) = (user("a"), user("b"));
    for (party, wanted, expected) in [
        (a, Wanted::Publish(&topic("plant/1")), "line 2 of the access rules (allow user a all plant/#) allows it"),
        (
            a,
            Wanted::Publish(&topic("plant/locked/1")),
            "user \"a\" may not publish to 'plant/locked/1': line 1 of the access rules (deny everyone publish \
             plant/locked/#) denies 'plant/locked/#'",
        ),
        (
            b,
            Wanted::Subscribe(&filter("plant/#")),
            "user \"b\" may not subscribe to 'plant/#': it asks for more than 'plant/1/#', which line 3 of the access \
             rules (allow user b subscribe plant/1/#) allows; subscribe to 'plant/1/#' instead",
        ),
        (
            b,
            Wanted::Publish(&topic("plant/1/x")),
            "user \"b\" may not publish to 'plant/1/x': line 3 of the access rules (allow user b subscribe plant/1/#) \
             matches the topic, but says nothing of this action; change it to 'all'",
        ),
        (
            b,
            Wanted::Subscribe(&filter("plant/2")),
            "user \"b\" may not subscribe to 'plant/2': line 2 of the access rules (allow user a all plant/#) would \
             allow it, but is for others",
        ),
        (
            NOBODY,
            Wanted::Publish(&topic("x")),
            "an anonymous client may not publish to 'x': no access rule allows it; add one",
        ),
    ] {
        assert_eq!(words(&access, party, wanted), expected);
    }
}

#[test]
fn every_wrong_line_is_named_with_the_cure() {
    let text = "permit all\nallow\nallow bob publish a\nallow user\nallow user bob\nallow user bob write a\n\
                allow user bob all\nallow user bob all a/#/b\nallow user bob all a/%u\nallow users all ${client.name}\n\
                allow users all ${client.attributes.x}\ngroup g\ngroup g = a\ngroup g = b\nallow user \"bob all a\n\
                allow users all $share/g/a";
    let problems = Access::parse(text).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16]);
    for problem in &problems {
        assert!(problem.to_string().len() > 30, "{problem}");
    }
    let problems = Access::parse("allow group g all #\n").unwrap_err();
    assert_eq!(problems[0].kind, AccessProblemKind::NoGroup("g".to_owned()));
    assert!(Access::parse("allow group g all #\ngroup g = a").is_ok(), "a group may be defined later");
}

#[test]
fn names_with_white_space_stand_in_quotes() {
    let access = Access::parse("allow user \"a \\\"b\\\" c\" publish \"t u\"").unwrap();
    assert!(publishes(&access, user("a \"b\" c"), "t u"));
    assert_eq!(access.named_users().into_iter().collect::<Vec<_>>(), ["a \"b\" c"]);
}

/// What a rule is made of, for a reference that knows nothing of texts and orders of evaluation.
#[derive(Debug, Clone)]
struct Line {
    allows: bool,
    who: usize,
    action: usize,
    filter: String,
}

const WHO: [&str; 6] = ["everyone", "users", "anonymous", "user a", "group g", "client c1"];
const ACTIONS: [&str; 3] = ["publish", "subscribe", "all"];

fn line() -> impl Strategy<Value = Line> {
    let filter = proptest::collection::vec(prop_oneof!["[ab]", Just("+".to_owned())], 1..4);
    (any::<bool>(), 0..WHO.len(), 0..ACTIONS.len(), filter, any::<bool>()).prop_map(
        |(allows, who, action, mut levels, hash)| {
            if hash {
                levels.push("#".to_owned());
            }
            Line { allows, who, action, filter: levels.join("/") }
        },
    )
}

/// Every topic of up to three levels, and a fourth that no rule names.
fn topics() -> Vec<TopicName> {
    let mut all = Vec::new();
    let mut level: Vec<String> = vec![String::new()];
    for _ in 0..4 {
        level = level
            .iter()
            .flat_map(|before| {
                ["a", "b", "x"].map(|name| if before.is_empty() { name.to_owned() } else { format!("{before}/{name}") })
            })
            .collect();
        all.extend(level.iter().map(|text| topic(text)));
    }
    all
}

fn reference(lines: &[Line], party: Party<'_>, action: usize, wanted: &TopicName) -> bool {
    for line in lines {
        let for_it = match line.who {
            0 => true,
            1 => party.user.is_some(),
            2 => party.user.is_none(),
            3 => party.user == Some("a"),
            4 => party.user == Some("a") || party.user == Some("b"),
            _ => party.client_id == "c1",
        };
        if for_it && (line.action == action || line.action == 2) && filter(&line.filter).matches(wanted) {
            return line.allows;
        }
    }
    false
}

proptest! {
    #[test]
    fn publishing_is_as_the_reference_says_and_a_subscription_gets_nothing_more(
        lines in proptest::collection::vec(line(), 0..8),
        name in proptest::option::of("[abc]"),
        client_id in "c[12]",
        wanted in line(),
    ) {
        let mut text = "group g = a b\n".to_owned();
        for line in &lines {
            let effect = if line.allows { "allow" } else { "deny" };
            text += &format!("{effect} {} {} {}\n", WHO[line.who], ACTIONS[line.action], line.filter);
        }
        let access = Access::parse(&text).unwrap();
        let party = Party { user: name.as_deref(), client_id: &client_id };
        let topics = topics();
        for topic in &topics {
            prop_assert_eq!(publishes(&access, party, topic.as_str()), reference(&lines, party, 0, topic), "{} {}", text, topic);
        }
        let wanted = filter(&wanted.filter);
        let all = topics.iter().filter(|topic| wanted.matches(topic)).all(|topic| reference(&lines, party, 1, topic));
        if subscribes(&access, party, wanted.as_str()) {
            prop_assert!(all, "{text} {wanted}");
        } else if !wanted.has_wildcard() {
            prop_assert!(!all, "{text} {wanted}");
        }
    }

    #[test]
    fn filters_overlap_if_they_have_a_topic_in_common(one in line(), other in line()) {
        let (one, other) = (filter(&one.filter), filter(&other.filter));
        let common = topics().iter().any(|topic| one.matches(topic) && other.matches(topic));
        prop_assert_eq!(overlaps(&one, &other), common, "{} {}", one, other);
        prop_assert_eq!(overlaps(&one, &other), overlaps(&other, &one));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(allow|deny|group|user|users|all|publish|\"|=|#|a|\\$\\{client.id\\}|\\PC| |\n){0,40}") {
        if let Ok(access) = Access::parse(&text) {
            let _ = access.applicable(user("a"));
        }
    }
}
