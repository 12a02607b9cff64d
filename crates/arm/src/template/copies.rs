//! Loops: `copy` among variables, properties, resources and outputs.

use serde_json::{Map, Value as Json};

use super::context::Context;
use super::evaluate::{Frame, Turn};
use super::path::Path;
use super::problem::{Problem, TemplateError};
use super::value::{Object, Value, member};

/// Turns of one loop. Azure Resource Manager takes 800.
const TURNS: usize = 100_000;

/// How often a loop runs, and what it is called.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) name: String,
    pub(super) count: usize,
}

impl Context<'_> {
    /// Reads a loop's `name` and `count`.
    pub(super) fn read_loop(
        &self,
        copy: &Map<String, Json>,
        name: Option<&str>,
        frame: &Frame<'_>,
        path: &Path<'_>,
    ) -> Result<Loop, TemplateError> {
        let name = match (member(copy, "name"), name) {
            (Some(Json::String(name)), _) => name.clone(),
            (_, Some(name)) => name.to_owned(),
            _ => return Err(Problem::new("the loop has no name", "give 'name'").at(path.to_string())),
        };
        let count = member(copy, "count");
        let count = count.ok_or_else(|| Problem::new("the loop has no count", "give 'count'").at(path.to_string()))?;
        let path = path.member("count");
        match self.json(count, frame, &path)? {
            Value::Integer(number) => match usize::try_from(number) {
                Ok(count) if count <= TURNS => Ok(Loop { name, count }),
                _ => {
                    let cure = format!("give 0 to {TURNS}");
                    Err(Problem::new(format!("the count is {number}"), cure).at(path.to_string()))
                }
            },
            other => Err(Problem::new(format!("the count is {}", other.kind()), "give an int").at(path.to_string())),
        }
    }

    /// The array that a loop with `input` makes.
    fn turns(
        &self,
        copy: &Map<String, Json>,
        frame: &Frame<'_>,
        path: &Path<'_>,
        member_name: &str,
    ) -> Result<(String, Value), TemplateError> {
        let lap = self.read_loop(copy, None, frame, path)?;
        let input = member(copy, member_name);
        let input = input.ok_or_else(|| {
            Problem::new("the loop has no input", format!("give '{member_name}'")).at(path.to_string())
        })?;
        let path = path.member(member_name);
        let turn = |index| {
            let turn = Turn { name: &lap.name, index, outer: frame.turn.as_ref() };
            self.json(input, &Frame { turn: Some(turn), ..*frame }, &path)
        };
        let items = (0..lap.count).map(turn).collect::<Result<Vec<_>, _>>()?;
        Ok((lap.name, Value::array(items)))
    }

    /// The members that a `copy` among an object's members makes.
    pub(super) fn copied_members(
        &self,
        loops: &[Json],
        frame: &Frame<'_>,
        path: &Path<'_>,
        into: &mut Object,
    ) -> Result<(), TemplateError> {
        let copy = path.member("copy");
        for (at, one) in loops.iter().enumerate() {
            let path = copy.item(at);
            let shape = || Problem::new("this is no loop", "give 'name', 'count' and 'input'").at(path.to_string());
            let (name, value) = self.turns(one.as_object().ok_or_else(shape)?, frame, &path, "input")?;
            into.insert(name, value);
        }
        Ok(())
    }

    /// The array that an output's or a variable's `copy` makes.
    pub(super) fn copied(&self, copy: (usize, &Map<String, Json>), start: &Path<'_>) -> Result<Value, TemplateError> {
        let (at, copy) = copy;
        let list = start.member("copy");
        self.turns(copy, &Frame::default(), &list.item(at), "input").map(|(_, value)| value)
    }

    /// The array of an output's `copy`.
    pub(super) fn copied_output(
        &self,
        name: &str,
        copy: &Map<String, Json>,
        frame: &Frame<'_>,
        path: &Path<'_>,
    ) -> Result<Value, TemplateError> {
        let mut copy = copy.clone();
        copy.insert("name".to_owned(), Json::String(name.to_owned()));
        self.turns(&copy, frame, path, "input").map(|(_, value)| value)
    }
}

/// The loop among the variables that makes the one of that name, and its place.
pub(super) fn of_variable<'t>(variables: &'t Map<String, Json>, name: &str) -> Option<(usize, &'t Map<String, Json>)> {
    let loops = member(variables, "copy")?.as_array()?;
    let mut loops = loops.iter().enumerate().filter_map(|(at, one)| Some((at, one.as_object()?)));
    loops.find(|(_, one)| {
        member(one, "name").and_then(Json::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name))
    })
}
