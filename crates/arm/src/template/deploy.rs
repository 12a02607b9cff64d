//! A deployment: each resource once, when all that it needs is there.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::context::{Budget, Context, object};
use super::evaluate::{Frame, References};
use super::instances::Instance;
use super::path::Path;
use super::problem::{Failure, Problem, TemplateError, nearest};
use super::resource_id::ResourceId;
use super::value::{Value, member};
use super::{Deployed, Planned, Scope, Target};

/// A template within a template.
const NESTED: &str = "Microsoft.Resources/deployments";
/// Bytes of the stack of a deployment, of which only as many are taken as it needs: what waits for one another nests.
const STACK: usize = 512 * 1024 * 1024;

/// Members of a resource that say how it is deployed, and are no part of it.
const ABOUT: &[&str] = &[
    "apiVersion",
    "comments",
    "condition",
    "copy",
    "dependsOn",
    "existing",
    "name",
    "resourceGroup",
    "resources",
    "scope",
    "subscriptionId",
    "type",
    "import",
    "$options",
];

/// Deploys on a thread of its own, which has room for what nests.
pub(super) fn run(
    template: &Map<String, Json>,
    parameters: &Map<String, Json>,
    scope: &Scope,
    target: &mut dyn Target,
) -> Result<Deployed, TemplateError> {
    let failed = |why: String| Problem::new(format!("the deployment could not be run: {why}"), "try again").at("");
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new().name("deployment".to_owned()).stack_size(STACK);
        let running = thread.spawn_scoped(threads, || run_here(template, parameters, scope, target));
        let running = running.map_err(|error| failed(error.to_string()))?;
        running.join().unwrap_or_else(|_| Err(failed("its thread has ended".to_owned())))
    })
}

fn run_here(
    template: &Map<String, Json>,
    parameters: &Map<String, Json>,
    scope: &Scope,
    target: &mut dyn Target,
) -> Result<Deployed, TemplateError> {
    let budget = Budget::new(scope.seed);
    let shared = Shared { target: RefCell::new(target), done: RefCell::default(), budget: &budget };
    let context = Context::new(template, parameters, scope, &budget)?;
    let outputs = Deployment::new(&context, &shared)?.run()?;
    let Deployed { resources, skipped, .. } = shared.done.into_inner();
    Ok(Deployed { outputs, resources, skipped })
}

/// What a template shares with those within it.
struct Shared<'s> {
    target: RefCell<&'s mut dyn Target>,
    done: RefCell<Deployed>,
    budget: &'s Budget,
}

/// How far a resource is.
#[derive(Debug, Clone)]
enum State {
    Waiting,
    Working,
    /// As a GET answers it; nothing: it was passed over.
    Done(Option<Value>),
}

/// What resources are called besides their ids: loops and names in lower case.
#[derive(Default)]
struct Words<'t> {
    symbols: HashMap<&'t str, Vec<usize>>,
    loops: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
}

impl<'t> Words<'t> {
    fn of(instances: &[Instance<'t>]) -> Self {
        let mut words = Self::default();
        for (at, instance) in instances.iter().enumerate() {
            if let Some(symbol) = instance.symbol {
                words.symbols.entry(symbol).or_default().push(at);
            }
            if let Some((lap, _)) = &instance.turn {
                words.loops.entry(lap.to_lowercase()).or_default().push(at);
            }
            words.names.entry(instance.id.name().to_lowercase()).or_default().push(at);
        }
        words
    }

    /// Those of that symbolic name, else of that loop, else of that name.
    fn find(&self, word: &str) -> Vec<usize> {
        let lower = || word.to_lowercase();
        let found = self.symbols.get(word).or_else(|| self.loops.get(&lower())).or_else(|| self.names.get(&lower()));
        found.cloned().unwrap_or_default()
    }
}

struct Deployment<'c, 't, 's> {
    context: &'c Context<'t>,
    shared: &'c Shared<'s>,
    instances: Vec<Instance<'t>>,
    states: RefCell<Vec<State>>,
    by_id: HashMap<ResourceId, usize>,
    by_word: Words<'t>,
    chain: RefCell<Vec<usize>>,
}

impl<'c, 't, 's> Deployment<'c, 't, 's> {
    fn new(context: &'c Context<'t>, shared: &'c Shared<'s>) -> Result<Self, TemplateError> {
        let instances = context.instances()?;
        let mut by_id = HashMap::new();
        for (at, instance) in instances.iter().enumerate() {
            let before = by_id.insert(instance.id.clone(), at).and_then(|before| instances.get(before));
            if let Some(before) = before.filter(|before| !before.existing && !instance.existing) {
                let problem = format!("{} stands at {} already", instance.id, before.path);
                return Err(Problem::new(problem, "leave one out, or give it another name").at(&*instance.path));
            }
        }
        let states = RefCell::new(vec![State::Waiting; instances.len()]);
        let by_word = Words::of(&instances);
        Ok(Self { context, shared, instances, states, by_id, by_word, chain: RefCell::default() })
    }

    /// Deploys all of them; answers the outputs.
    fn run(&self) -> Result<Map<String, Json>, TemplateError> {
        for (at, instance) in self.instances.iter().enumerate() {
            if !instance.existing {
                self.ensure(at)?;
            }
        }
        self.outputs()
    }

    /// The state of a resource, which is deployed now if it was not yet.
    fn ensure(&self, at: usize) -> Result<Option<Value>, TemplateError> {
        let Some(instance) = self.instances.get(at) else { return Ok(None) };
        let state = self.states.borrow().get(at).cloned();
        match state {
            Some(State::Done(value)) => return Ok(value),
            Some(State::Working) => return Err(self.circle(at)),
            _ => {}
        }
        self.set(at, State::Working);
        self.chain.borrow_mut().push(at);
        let value =
            self.shared.budget.deeper(|| self.deploy(instance)).map_err(|failure| failure.at(&instance.path))?;
        self.chain.borrow_mut().pop();
        self.set(at, State::Done(value.clone()));
        Ok(value)
    }

    fn set(&self, at: usize, state: State) {
        if let Some(place) = self.states.borrow_mut().get_mut(at) {
            *place = state;
        }
    }

    fn circle(&self, at: usize) -> TemplateError {
        let chain = self.chain.borrow();
        let members = chain.iter().skip_while(|member| **member != at).chain([&at]);
        let names: Vec<_> = members.filter_map(|at| self.instances.get(*at)).map(|one| one.id.name()).collect();
        let problem = format!("these resources wait for one another: {}", names.join(" → "));
        let path = self.instances.get(at).map(|instance| instance.path.clone()).unwrap_or_default();
        Problem::new(problem, "take one dependency out").at(path)
    }

    fn deploy(&self, instance: &Instance<'t>) -> Result<Option<Value>, TemplateError> {
        if instance.existing {
            let found = self.shared.target.borrow().get(&instance.id);
            let found = found.ok_or_else(|| {
                let problem = format!("{} is said to exist, and does not", instance.id);
                Problem::new(problem, "make it first").at(&*instance.path)
            })?;
            return Ok(Some(Value::from(&found)));
        }
        if let Some(parent) = instance.id.parent().and_then(|parent| self.by_id.get(&parent)) {
            self.ensure(*parent)?;
        }
        for name in &instance.depends_on {
            for at in self.named_dependency(name, instance)? {
                self.ensure(at)?;
            }
        }
        if instance.id.kind.eq_ignore_ascii_case(NESTED) {
            return self.nested(instance).map(Some);
        }
        let frame = Frame { references: Some(self), ..instance.frame() };
        let path = Path::Start(&instance.path);
        let mut body = Map::new();
        for (name, json) in instance.definition {
            if !ABOUT.iter().any(|about| about.eq_ignore_ascii_case(name)) {
                let value = self.context.json(json, &frame, &path.member(name))?;
                let json = self.shared.budget.give(&value).map_err(|problem| problem.at(&*instance.path))?;
                body.insert(name.clone(), json);
            }
        }
        let api_version = member(instance.definition, "apiVersion").and_then(Json::as_str).map(str::to_owned);
        let planned = Planned { id: instance.id.clone(), api_version, body, path: instance.path.clone() };
        let put = self.shared.target.borrow_mut().put(&planned).map_err(|error| TemplateError {
            path: match &*error.path {
                "" => instance.path.clone(),
                below => format!("{}.{below}", instance.path),
            },
            ..error
        })?;
        let mut done = self.shared.done.borrow_mut();
        match &put {
            Some(_) => done.resources.push(planned.id),
            None => done.skipped.push(planned.id),
        }
        Ok(put.as_ref().map(Value::from))
    }

    /// The resources that one entry of `dependsOn` names. What the template does not have need not be waited for.
    fn named_dependency(&self, name: &str, of: &Instance<'_>) -> Result<Vec<usize>, TemplateError> {
        let found = self.find(name);
        if found.is_empty() && ResourceId::parse(name).is_err() && !self.is_left_out(name) {
            let symbols = self.instances.iter().filter_map(|one| one.symbol);
            let known = symbols.map(str::to_owned).chain(self.instances.iter().map(|one| one.id.name()));
            let known: Vec<_> = known.collect();
            let cure = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("is '{near}' meant?"),
                None => "name a resource of the template, or give its id with resourceId()".to_owned(),
            };
            let path = format!("{}.dependsOn", of.path);
            return Err(Problem::new(format!("the template has no resource '{name}'"), cure).at(path));
        }
        Ok(found)
    }

    /// Whether a resource of that symbolic name, or loop, has a condition that leaves it out, or runs no turn.
    fn is_left_out(&self, name: &str) -> bool {
        match member(self.context.template, "resources") {
            Some(Json::Object(resources)) => resources.contains_key(name),
            Some(Json::Array(resources)) => resources.iter().any(|one| {
                let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
                let copy = one.get("copy").and_then(|copy| text(copy.get("name")));
                copy.as_deref() == Some(name) || one.get("condition").is_some()
            }),
            _ => false,
        }
    }

    /// Resources by symbolic name, loop, id or name.
    fn find(&self, name: &str) -> Vec<usize> {
        if let Ok(id) = ResourceId::parse(name) {
            return self.by_id.get(&id).copied().into_iter().collect();
        }
        self.by_word.find(name)
    }

    /// Deploys a template within this one.
    fn nested(&self, instance: &Instance<'t>) -> Result<Value, TemplateError> {
        let path = Path::Start(&instance.path);
        let properties = path.member("properties");
        let body = object(instance.definition, "properties");
        let template = member(body, "template").and_then(Json::as_object).ok_or_else(|| {
            let cure = "put the template here: bicep build does; templates elsewhere are not read";
            Problem::new("this deployment has no template of its own", cure).at(properties.to_string())
        })?;
        let inner = member(object(body, "expressionEvaluationOptions"), "scope").and_then(Json::as_str);
        let inner = inner.is_some_and(|scope| scope.eq_ignore_ascii_case("inner"));
        let frame = Frame { references: Some(self), ..instance.frame() };
        let mut parameters = Map::new();
        for (name, json) in object(body, "parameters").iter().filter(|_| inner) {
            let at = properties.member("parameters");
            parameters.insert(name.clone(), self.context.json(json, &frame, &at.member(name))?.to_json());
        }
        let scope = Scope {
            deployment_name: instance.id.name(),
            subscription_id: instance.id.subscription_id.clone(),
            resource_group: instance.id.resource_group.clone().unwrap_or_default(),
            ..self.context.scope.clone()
        };
        // Evaluated from without, it has the parameters, variables and functions of this one.
        let outside;
        let (template, parameters) = if inner {
            (template, &parameters)
        } else {
            let mut whole = self.context.template.clone();
            for part in ["resources", "outputs"] {
                whole.remove(part);
                whole.extend(member(template, part).map(|json| (part.to_owned(), json.clone())));
            }
            outside = whole;
            (&outside, &self.context.plain_parameters())
        };
        let below = |error: TemplateError| {
            let path = format!("{}.template.{}", properties, error.path);
            TemplateError { path: path.trim_end_matches('.').to_owned(), ..error }
        };
        let context = Context::new(template, parameters, &scope, self.shared.budget).map_err(below)?;
        let outputs = Deployment::new(&context, self.shared).and_then(|nested| nested.run()).map_err(below)?;
        let state = serde_json::json!({
            "id": instance.id.to_string(),
            "name": instance.id.name(),
            "type": NESTED,
            "properties": { "provisioningState": "Succeeded", "outputs": outputs },
        });
        Ok(Value::from(&state))
    }

    fn outputs(&self) -> Result<Map<String, Json>, TemplateError> {
        let mut outputs = Map::new();
        let start = Path::Start("outputs");
        let frame = Frame { references: Some(self), ..Frame::default() };
        for (name, output) in object(self.context.template, "outputs") {
            let path = start.member(name);
            let shape = || Problem::new("this is no output", "give 'type' and 'value'").at(path.to_string());
            let output = output.as_object().ok_or_else(shape)?;
            if let Some(condition) = member(output, "condition")
                && self.context.json(condition, &frame, &path.member("condition"))? == Value::Boolean(false)
            {
                continue;
            }
            let value = match (member(output, "value"), member(output, "copy")) {
                (Some(value), _) => self.context.json(value, &frame, &path.member("value"))?,
                (None, Some(Json::Object(copy))) => {
                    self.context.copied_output(name, copy, &frame, &path.member("copy"))?
                }
                _ => return Err(shape()),
            };
            let value = self.shared.budget.give(&value).map_err(|problem| problem.at(path.to_string()))?;
            let kind = member(output, "type").cloned().unwrap_or_else(|| Json::from("object"));
            outputs.insert(name.clone(), serde_json::json!({ "type": kind, "value": value }));
        }
        Ok(outputs)
    }

    fn state(&self, at: usize, full: bool) -> Result<Value, Failure> {
        let state = self.ensure(at)?;
        let state = state.ok_or_else(|| {
            let kind = self.instances.get(at).map(|one| one.id.kind.clone()).unwrap_or_default();
            Problem::new(
                format!("resources of type {kind} are passed over here, so there is nothing to read"),
                "leave it out",
            )
        })?;
        part_of(&state, full)
    }
}

fn part_of(state: &Value, full: bool) -> Result<Value, Failure> {
    Ok(if full { state.clone() } else { state.member("properties").cloned().unwrap_or(Value::Null) })
}

impl References for Deployment<'_, '_, '_> {
    fn reference(&self, to: &str, full: bool) -> Result<Value, Failure> {
        match self.find(to).as_slice() {
            [one] => return self.state(*one, full),
            [] => {}
            several => {
                let problem = format!("'{to}' names {} resources", several.len());
                return Err(Problem::new(problem, "use references(), or one's id").into());
            }
        }
        let known = ResourceId::parse(to).ok().and_then(|id| self.shared.target.borrow().get(&id));
        match known {
            Some(state) => part_of(&Value::from(&state), full),
            None => {
                let cure = "refer to a resource of the template, or to one that is there, by name or id";
                Err(Problem::new(format!("there is no resource '{to}'"), cure).into())
            }
        }
    }

    fn references(&self, to: &str, full: bool) -> Result<Value, Failure> {
        let states = self.find(to).into_iter().map(|at| self.state(at, full));
        Ok(Value::array(states.collect::<Result<Vec<_>, _>>()?))
    }

    fn list(&self, function: &str, of: &str) -> Result<Value, Failure> {
        let id = match self.find(of).as_slice() {
            [one] => {
                self.ensure(*one)?;
                self.instances.get(*one).map(|instance| instance.id.clone())
            }
            _ => ResourceId::parse(of).ok(),
        };
        let found = id.and_then(|id| self.shared.target.borrow().list(&id, function));
        let found = found.ok_or_else(|| {
            Problem::new(format!("{function}() is not known of '{of}'"), "use listKeys() of a namespace or topic")
        })?;
        Ok(Value::from(&found))
    }
}
