//! The functions of the template language that need nothing but their arguments.
//!
//! Those that need the deployment are in `evaluate.rs`, those that take lambdas in `lambda.rs`.

pub(super) mod lists;
mod numbers;
mod strings;

use super::problem::Problem;
use super::value::Value;

/// What a function gives.
pub(super) type Outcome = Result<Value, Problem>;

/// A function: its name, how many arguments it takes, and what it does.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) minimum: usize,
    /// `usize::MAX`: any number.
    pub(super) maximum: usize,
    pub(super) run: fn(&[Value]) -> Outcome,
}

const fn function(name: &'static str, minimum: usize, maximum: usize, run: fn(&[Value]) -> Outcome) -> Function {
    Function { name, minimum, maximum, run }
}

const ANY: usize = usize::MAX;

/// All of them. Names are compared ignoring case.
pub(super) static FUNCTIONS: &[Function] = &[
    function("add", 2, 2, numbers::add),
    function("and", 2, ANY, numbers::and),
    function("array", 1, 1, lists::array),
    function("base64", 1, 1, strings::base64),
    function("base64ToJson", 1, 1, strings::base64_to_json),
    function("base64ToString", 1, 1, strings::base64_to_string),
    function("bool", 1, 1, numbers::bool),
    function("coalesce", 1, ANY, lists::coalesce),
    function("concat", 1, ANY, lists::concat),
    function("contains", 2, 2, lists::contains),
    function("createArray", 0, ANY, lists::create_array),
    function("createObject", 0, ANY, lists::create_object),
    function("div", 2, 2, numbers::div),
    function("empty", 1, 1, lists::empty),
    function("endsWith", 2, 2, strings::ends_with),
    function("equals", 2, 2, numbers::equals),
    function("false", 0, 0, |_| Ok(Value::Boolean(false))),
    function("first", 1, 1, lists::first),
    function("flatten", 1, 1, lists::flatten),
    function("format", 1, ANY, strings::format),
    function("greater", 2, 2, numbers::greater),
    function("greaterOrEquals", 2, 2, numbers::greater_or_equals),
    function("guid", 1, ANY, strings::guid),
    function("indexFromEnd", 2, 2, lists::index_from_end),
    function("indexOf", 2, 2, lists::index_of),
    function("int", 1, 1, numbers::int),
    function("intersection", 2, ANY, lists::intersection),
    function("items", 1, 1, lists::items_of_object),
    function("join", 2, 2, strings::join),
    function("json", 1, 1, strings::json),
    function("last", 1, 1, lists::last),
    function("lastIndexOf", 2, 2, lists::last_index_of),
    function("length", 1, 1, lists::length),
    function("less", 2, 2, numbers::less),
    function("lessOrEquals", 2, 2, numbers::less_or_equals),
    function("max", 1, ANY, numbers::max),
    function("min", 1, ANY, numbers::min),
    function("mod", 2, 2, numbers::modulo),
    function("mul", 2, 2, numbers::mul),
    function("not", 1, 1, numbers::not),
    function("null", 0, 0, |_| Ok(Value::Null)),
    function("objectKeys", 1, 1, lists::object_keys),
    function("or", 2, ANY, numbers::or),
    function("padLeft", 2, 3, strings::pad_left),
    function("range", 2, 2, numbers::range),
    function("replace", 3, 3, strings::replace),
    function("shallowMerge", 1, 1, lists::shallow_merge),
    function("skip", 2, 2, lists::skip),
    function("split", 2, 2, strings::split),
    function("startsWith", 2, 2, strings::starts_with),
    function("string", 1, 1, |arguments| Ok(argument(arguments, 0).to_text().into())),
    function("sub", 2, 2, numbers::sub),
    function("substring", 2, 3, strings::substring),
    function("take", 2, 2, lists::take),
    function("toLower", 1, 1, strings::to_lower),
    function("toUpper", 1, 1, strings::to_upper),
    function("trim", 1, 1, strings::trim),
    function("true", 0, 0, |_| Ok(Value::Boolean(true))),
    function("tryGet", 2, ANY, lists::try_get),
    function("tryIndexFromEnd", 2, 2, lists::try_index_from_end),
    function("union", 1, ANY, lists::union),
    function("uniqueString", 1, ANY, strings::unique_string),
    function("uri", 2, 2, strings::uri),
    function("uriComponent", 1, 1, strings::uri_component),
    function("uriComponentToString", 1, 1, strings::uri_component_to_string),
];

/// The longest string, and the longest list, that a function makes.
const LONGEST: usize = 4 * 1024 * 1024;

/// An argument; `null` where there is none, which the table rules out.
fn argument(arguments: &[Value], at: usize) -> &Value {
    arguments.get(at).unwrap_or(&Value::Null)
}

fn text(arguments: &[Value], at: usize) -> Result<&str, Problem> {
    argument(arguments, at).as_text().ok_or_else(|| wrong(arguments, at, "a string"))
}

fn integer(arguments: &[Value], at: usize) -> Result<i64, Problem> {
    match argument(arguments, at) {
        Value::Integer(number) => Ok(*number),
        _ => Err(wrong(arguments, at, "an int")),
    }
}

fn boolean(arguments: &[Value], at: usize) -> Result<bool, Problem> {
    match argument(arguments, at) {
        Value::Boolean(value) => Ok(*value),
        _ => Err(wrong(arguments, at, "a bool")),
    }
}

fn wrong(arguments: &[Value], at: usize, expected: &str) -> Problem {
    let found = argument(arguments, at).kind();
    Problem::new(format!("argument {} is {found}", at + 1), format!("give {expected}"))
}

fn too_long() -> Problem {
    Problem::new(format!("the result has more than {LONGEST} bytes or items"), "make it shorter")
}

/// A length that may not be negative.
fn count(arguments: &[Value], at: usize) -> Result<usize, Problem> {
    let number = integer(arguments, at)?;
    usize::try_from(number).map_err(|_| Problem::new(format!("argument {} is {number}", at + 1), "give 0 or more"))
}

#[cfg(test)]
mod tests;
