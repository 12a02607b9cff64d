//! What the expressions of one template refer to: its parameters, variables and functions.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

use super::Scope;
use super::parameters;
use super::path::Path;
use super::problem::{Failure, Problem, TemplateError, nearest};
use super::value::{DEPTH as DEPTH_OF_VALUES, Value, member};

/// What one deployment may use up, templates within it included.
#[derive(Debug)]
pub(super) struct Budget {
    /// Steps of evaluation.
    steps: Cell<u64>,
    /// Bytes of what is made of them.
    bytes: Cell<usize>,
    /// How many wait for one another now: parameters, variables, functions, resources, templates.
    levels: Cell<usize>,
    guids: Cell<u128>,
}

impl Budget {
    const STEPS: u64 = 10_000_000;
    const BYTES: usize = 512 * 1024 * 1024;
    /// Bytes of one value.
    const VALUE: usize = 64 * 1024 * 1024;
    const LEVELS: usize = 256;

    pub(super) const fn new(seed: u128) -> Self {
        Self {
            steps: Cell::new(Self::STEPS),
            bytes: Cell::new(Self::BYTES),
            levels: Cell::new(0),
            guids: Cell::new(seed),
        }
    }

    /// One level deeper among what waits for one another.
    pub(super) fn deeper<T, E: Into<Failure>>(&self, how: impl FnOnce() -> Result<T, E>) -> Result<T, Failure> {
        if self.levels.get() >= Self::LEVELS {
            let problem = format!("more than {} wait for one another in a row", Self::LEVELS);
            return Err(Problem::new(problem, "let variables, resources and templates refer to fewer").into());
        }
        self.levels.set(self.levels.get() + 1);
        let outcome = how().map_err(Into::into);
        self.levels.set(self.levels.get() - 1);
        outcome
    }

    pub(super) fn step(&self) -> Result<(), Problem> {
        let left = self.steps.get().checked_sub(1);
        self.steps.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| {
            let problem = format!("the template takes more than {} steps", Self::STEPS);
            Problem::new(problem, "deploy it in parts")
        })
    }

    /// What is given out counts in full.
    pub(super) fn give(&self, value: &Value) -> Result<serde_json::Value, Problem> {
        let left = value.take_from(self.bytes.get());
        self.bytes.set(left.unwrap_or_default());
        left.map(|_| value.to_json()).ok_or_else(Self::spent)
    }

    pub(super) fn make(&self, bytes: usize) -> Result<(), Problem> {
        let left = self.bytes.get().checked_sub(bytes);
        self.bytes.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(Self::spent)
    }

    fn spent() -> Problem {
        Problem::new(format!("the template makes more than {} MiB", Self::BYTES >> 20), "deploy it in parts")
    }

    /// A value of which parts are shared may be small, and large when it is written out or compared.
    pub(super) fn weigh(value: &Value) -> Result<(), Problem> {
        value.take_from(Self::VALUE).map(drop).ok_or_else(|| {
            let problem = format!("the value has more than {} MiB, or {DEPTH_OF_VALUES} levels", Self::VALUE >> 20);
            Problem::new(problem, "make it smaller")
        })
    }

    /// `newGuid()`: another one each time.
    pub(super) fn guid(&self) -> String {
        let number = self.guids.get();
        self.guids.set(number.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid().to_string()
    }
}

/// The value of a parameter or variable.
#[derive(Debug, Clone)]
enum Slot {
    /// It is being evaluated: whoever asks now is in a circle.
    Working,
    Done(Value),
}

/// A function of the template's own.
#[derive(Debug)]
pub(super) struct UserFunction<'t> {
    pub(super) parameters: Vec<String>,
    pub(super) output: &'t Json,
    pub(super) path: String,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Context<'t> {
    pub(super) scope: &'t Scope,
    pub(super) budget: &'t Budget,
    pub(super) template: &'t Map<String, Json>,
    given: BTreeMap<String, Json>,
    functions: BTreeMap<(String, String), UserFunction<'t>>,
    parameters: RefCell<HashMap<String, Slot>>,
    variables: RefCell<HashMap<String, Slot>>,
}

/// A member that is an object, or nothing.
pub(super) fn object<'t>(of: &'t Map<String, Json>, name: &str) -> &'t Map<String, Json> {
    static EMPTY: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);
    member(of, name).and_then(Json::as_object).unwrap_or(&EMPTY)
}

impl<'t> Context<'t> {
    /// Parameters are checked as they are given: each has to be one that the template has.
    pub(super) fn new(
        template: &'t Map<String, Json>,
        parameters: &Map<String, Json>,
        scope: &'t Scope,
        budget: &'t Budget,
    ) -> Result<Self, TemplateError> {
        let given = parameters::given(object(template, "parameters"), parameters)?;
        let context = Self {
            scope,
            budget,
            template,
            given,
            functions: user_functions(template)?,
            parameters: RefCell::default(),
            variables: RefCell::default(),
        };
        // What is missing is missing, used or not.
        for name in object(template, "parameters").keys() {
            context.parameter(name).map_err(|failure| failure.at("parameters"))?;
        }
        Ok(context)
    }

    pub(super) fn function(&self, namespace: &str, name: &str) -> Option<&UserFunction<'t>> {
        let wanted = |(known, _): &(&(String, String), _)| {
            known.0.eq_ignore_ascii_case(namespace) && known.1.eq_ignore_ascii_case(name)
        };
        self.functions.iter().find(wanted).map(|(_, function)| function)
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Result<Value, Failure> {
        let defined = object(self.template, "parameters");
        let (name, definition) = named(defined, name, "parameter")?;
        self.once(&self.parameters, "parameter", name, || {
            parameters::value(self, name, definition, self.given.get(&name.to_ascii_lowercase()))
        })
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Result<Value, Failure> {
        let defined = object(self.template, "variables");
        let start = Path::Start("variables");
        if let Some(copy) = super::copies::of_variable(defined, name) {
            return self.once(&self.variables, "variable", name, || self.copied(copy, &start));
        }
        let (name, json) = named(defined, name, "variable")?;
        self.once(&self.variables, "variable", name, || {
            self.json(json, &super::evaluate::Frame::default(), &start.member(name))
        })
    }

    /// All parameters, as they would be given.
    pub(super) fn plain_parameters(&self) -> Map<String, Json> {
        let given = |(name, slot): (&String, &Slot)| match slot {
            Slot::Done(value) => Some((name.clone(), serde_json::json!({ "value": value.to_json() }))),
            Slot::Working => None,
        };
        self.parameters.borrow().iter().filter_map(given).collect()
    }

    fn once(
        &self,
        slots: &RefCell<HashMap<String, Slot>>,
        kind: &str,
        name: &str,
        how: impl FnOnce() -> Result<Value, TemplateError>,
    ) -> Result<Value, Failure> {
        let key = name.to_ascii_lowercase();
        match slots.borrow().get(&key) {
            Some(Slot::Done(value)) => return Ok(value.clone()),
            Some(Slot::Working) => {
                let problem = format!("the {kind} '{name}' refers to itself, by way of others perhaps");
                return Err(Problem::new(problem, "break the circle").into());
            }
            None => {}
        }
        slots.borrow_mut().insert(key.clone(), Slot::Working);
        let value = self.budget.deeper(how)?;
        Budget::weigh(&value)?;
        slots.borrow_mut().insert(key, Slot::Done(value.clone()));
        Ok(value)
    }
}

/// A member of the template's, ignoring case, with its name as it is written there.
fn named<'t>(defined: &'t Map<String, Json>, name: &str, kind: &str) -> Result<(&'t String, &'t Json), Problem> {
    let exact = defined.get_key_value(name);
    exact.or_else(|| defined.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))).ok_or_else(|| {
        let known = defined.keys().map(String::as_str);
        let cure = nearest(name, known)
            .map_or_else(|| format!("add it to the template's {kind}s"), |near| format!("is '{near}' meant?"));
        Problem::new(format!("the template has no {kind} '{name}'"), cure)
    })
}

fn user_functions<'t>(
    template: &'t Map<String, Json>,
) -> Result<BTreeMap<(String, String), UserFunction<'t>>, TemplateError> {
    let mut functions = BTreeMap::new();
    let namespaces = member(template, "functions").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    for (at, namespace) in namespaces.iter().enumerate() {
        let path = format!("functions[{at}]");
        let shape = || Problem::new("this is no namespace of functions", "give 'namespace' and 'members'").at(&*path);
        let namespace = namespace.as_object().ok_or_else(shape)?;
        let name = member(namespace, "namespace").and_then(Json::as_str).ok_or_else(shape)?;
        for (function, definition) in object(namespace, "members") {
            let path = format!("{path}.members.{function}");
            let shape = || Problem::new("this function has no output", "give 'output' with 'value'").at(&*path);
            let definition = definition.as_object().ok_or_else(shape)?;
            let output = member(object(definition, "output"), "value").ok_or_else(shape)?;
            let parameters = member(definition, "parameters").and_then(Json::as_array);
            let names = parameters.into_iter().flatten().filter_map(|one| one.get("name").and_then(Json::as_str));
            let parameters = names.map(str::to_owned).collect();
            functions.insert((name.to_owned(), function.clone()), UserFunction { parameters, output, path });
        }
    }
    Ok(functions)
}
