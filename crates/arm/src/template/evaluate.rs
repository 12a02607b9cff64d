//! The evaluation of expressions, and of JSON that holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::context::{Budget, Context};
use super::expression::{self, Expression, Text};
use super::functions::{FUNCTIONS, lists};
use super::path::Path;
use super::problem::{Failure, Problem, TemplateError, nearest};
use super::resource_id::ResourceId;
use super::value::{Object, Value};

/// A loop's turn, and those of the loops around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'f> {
    pub(super) name: &'f str,
    pub(super) index: usize,
    pub(super) outer: Option<&'f Self>,
}

/// A variable of a lambda, and those around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'f> {
    pub(super) name: &'f str,
    pub(super) value: &'f Value,
    pub(super) outer: Option<&'f Self>,
}

/// What expressions can ask of a deployment that is under way.
pub(super) trait References {
    /// The state of a resource by symbolic name, name or id; `full`: not its properties alone.
    fn reference(&self, to: &str, full: bool) -> Result<Value, Failure>;

    /// The states of all of a loop.
    fn references(&self, to: &str, full: bool) -> Result<Value, Failure>;

    /// What `list…()` gives of a resource.
    fn list(&self, function: &str, of: &str) -> Result<Value, Failure>;
}

/// What an expression refers to beside the template.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame<'f> {
    pub(super) turn: Option<Turn<'f>>,
    pub(super) bound: Option<Bound<'f>>,
    /// Within a function of the template's own: its arguments, which are all its parameters.
    pub(super) arguments: Option<&'f BTreeMap<String, Value>>,
    pub(super) references: Option<&'f dyn References>,
}

/// Names that are not in the table.
const OTHERS: &[&str] = &[
    "copyIndex",
    "deployment",
    "extensionResourceId",
    "filter",
    "groupBy",
    "if",
    "lambda",
    "lambdaVariables",
    "listKeys",
    "map",
    "mapValues",
    "newGuid",
    "parameters",
    "reduce",
    "reference",
    "references",
    "resourceGroup",
    "resourceId",
    "sort",
    "subscription",
    "subscriptionResourceId",
    "tenant",
    "tenantResourceId",
    "toObject",
    "utcNow",
    "variables",
];

impl Context<'_> {
    /// Evaluates every expression in a piece of a template.
    pub(super) fn json(&self, json: &Json, frame: &Frame<'_>, path: &Path<'_>) -> Result<Value, TemplateError> {
        match json {
            Json::String(text) => self.text(text, frame).map_err(|failure| failure.at(path)),
            Json::Array(items) => {
                let items = items.iter().enumerate().map(|(at, item)| self.json(item, frame, &path.item(at)));
                Ok(Value::array(items.collect::<Result<Vec<_>, _>>()?))
            }
            Json::Object(members) => {
                let mut object = Object::new();
                for (name, value) in members {
                    match value {
                        Json::Array(loops) if name == "copy" => self.copied_members(loops, frame, path, &mut object)?,
                        _ => {
                            object.insert(name.clone(), self.json(value, frame, &path.member(name))?);
                        }
                    }
                }
                Ok(Value::Object(Arc::new(object)))
            }
            other => Ok(Value::from(other)),
        }
    }

    fn text(&self, text: &str, frame: &Frame<'_>) -> Result<Value, Failure> {
        match expression::read(text) {
            Ok(Text::Literal(text)) => Ok(text.into()),
            Ok(Text::Expression(expression)) => self.expression(&expression, frame),
            Err(error) => Err(Problem::new(format!("{text:?} is no expression: {error}"), "correct it").into()),
        }
    }

    pub(super) fn expression(&self, expression: &Expression, frame: &Frame<'_>) -> Result<Value, Failure> {
        self.budget.step()?;
        match expression {
            Expression::Text(text) => Ok(text.as_str().into()),
            Expression::Integer(number) => Ok(Value::Integer(*number)),
            Expression::Member(of, name) => Ok(lists::member(&self.expression(of, frame)?, name)?),
            Expression::Index(of, index) => {
                let (list, index) = (self.expression(of, frame)?, self.expression(index, frame)?);
                Ok(lists::at(&list, &index)?)
            }
            Expression::Call { namespace: Some(namespace), name, arguments } => {
                let arguments = self.all(arguments, frame)?;
                self.user_function(namespace, name, arguments, frame)
            }
            Expression::Call { namespace: None, name, arguments } => {
                self.call(name, arguments, frame).map_err(|failure| match failure {
                    Failure::Here(Problem { problem, cure }) if !problem.contains("()") => {
                        Problem::new(format!("{name}(): {problem}"), cure).into()
                    }
                    other => other,
                })
            }
        }
    }

    fn all(&self, arguments: &[Expression], frame: &Frame<'_>) -> Result<Vec<Value>, Failure> {
        arguments.iter().map(|argument| self.expression(argument, frame)).collect()
    }

    fn call(&self, name: &str, arguments: &[Expression], frame: &Frame<'_>) -> Result<Value, Failure> {
        if name == "if" {
            let [condition, yes, no] = arguments else { return Err(counted(arguments.len(), "3").into()) };
            return match self.expression(condition, frame)? {
                Value::Boolean(true) => self.expression(yes, frame),
                Value::Boolean(false) => self.expression(no, frame),
                other => Err(Problem::new(format!("the condition is {}", other.kind()), "give a bool").into()),
            };
        }
        if name == "lambdavariables" {
            return lambda_variable(arguments, frame);
        }
        if let Some(outcome) = self.with_lambda(name, arguments, frame) {
            return self.made(outcome?);
        }
        let arguments = self.all(arguments, frame)?;
        if let Some(function) = FUNCTIONS.iter().find(|function| function.name.eq_ignore_ascii_case(name)) {
            if !(function.minimum..=function.maximum).contains(&arguments.len()) {
                let expected = match (function.minimum, function.maximum) {
                    (minimum, usize::MAX) => format!("{minimum} or more"),
                    (minimum, maximum) if minimum == maximum => minimum.to_string(),
                    (minimum, maximum) => format!("{minimum} to {maximum}"),
                };
                return Err(counted(arguments.len(), &expected).into());
            }
            return self.made((function.run)(&arguments)?);
        }
        self.of_deployment(name, &arguments, frame)
    }

    fn made(&self, value: Value) -> Result<Value, Failure> {
        Budget::weigh(&value)?;
        self.budget.make(size(&value))?;
        Ok(value)
    }

    fn user_function(
        &self,
        namespace: &str,
        name: &str,
        arguments: Vec<Value>,
        frame: &Frame<'_>,
    ) -> Result<Value, Failure> {
        let found = self.function(namespace, name).filter(|_| frame.arguments.is_none());
        let function = found.ok_or_else(|| {
            let problem = format!("the template has no function {namespace}.{name}() that can be called here");
            Problem::new(problem, "add it to 'functions'; one function of a template cannot call another")
        })?;
        if function.parameters.len() != arguments.len() {
            let expected = function.parameters.len().to_string();
            return Err(counted(arguments.len(), &expected).into());
        }
        let names = function.parameters.iter().map(|name| name.to_ascii_lowercase());
        let arguments = names.zip(arguments).collect();
        let path = Path::Start(&function.path);
        let frame = Frame { arguments: Some(&arguments), ..Frame::default() };
        let value = self.budget.deeper(|| self.json(function.output, &frame, &path.member("output")))?;
        self.made(value)
    }

    /// Functions that need the template, the scope or the deployment.
    fn of_deployment(&self, name: &str, arguments: &[Value], frame: &Frame<'_>) -> Result<Value, Failure> {
        let scope = self.scope;
        let text = |at: usize| match arguments.get(at) {
            Some(Value::Text(text)) => Ok(&**text),
            Some(other) => Err(Problem::new(format!("argument {} is {}", at + 1, other.kind()), "give a string")),
            None => Err(counted(arguments.len(), &(at + 1).to_string())),
        };
        let subscription = format!("/subscriptions/{}", scope.subscription_id);
        let object = |members: &[(&str, &str)]| {
            Value::object(members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))))
        };
        Ok(match name {
            "parameters" => match frame.arguments {
                Some(own) => own.get(&text(0)?.to_ascii_lowercase()).cloned().ok_or_else(|| {
                    Problem::new(format!("this function has no parameter '{}'", text(0).unwrap_or_default()), "add it")
                })?,
                None => self.parameter(text(0)?)?,
            },
            "variables" if frame.arguments.is_none() => self.variable(text(0)?)?,
            "copyindex" => copy_index(arguments, frame)?,
            "reference" | "references" => {
                let full =
                    arguments.iter().skip(1).any(|one| one.as_text().is_some_and(|it| it.eq_ignore_ascii_case("full")));
                let references = running(frame)?;
                if name == "reference" {
                    references.reference(text(0)?, full)?
                } else {
                    references.references(text(0)?, full)?
                }
            }
            list if list.starts_with("list") => running(frame)?.list(list, text(0)?)?,
            "resourceid" => resource_id(scope.subscription_id.as_str(), Some(&scope.resource_group), arguments)?.into(),
            "subscriptionresourceid" => resource_id(scope.subscription_id.as_str(), None, arguments)?.into(),
            "tenantresourceid" => resource_id("", None, arguments)?.into(),
            "extensionresourceid" => {
                let extension = resource_id("", None, arguments.get(1..).unwrap_or_default())?;
                format!("{}{extension}", text(0)?).into()
            }
            "resourcegroup" => object(&[
                ("id", &format!("{subscription}/resourceGroups/{}", scope.resource_group)),
                ("name", &scope.resource_group),
                ("type", "Microsoft.Resources/resourceGroups"),
                ("location", &scope.location),
            ]),
            "subscription" => object(&[
                ("id", &subscription),
                ("subscriptionId", &scope.subscription_id),
                ("tenantId", &scope.tenant_id),
                ("displayName", &scope.subscription_id),
            ]),
            "tenant" => object(&[("tenantId", &scope.tenant_id)]),
            "deployment" => object(&[("name", &scope.deployment_name)]),
            "newguid" => self.budget.guid().into(),
            "utcnow" if arguments.is_empty() => scope.utc_now.as_str().into(),
            "utcnow" => {
                return Err(Problem::new("other forms of time are not offered", "call it without arguments").into());
            }
            _ => return Err(unknown(name).into()),
        })
    }
}

/// Bytes that a value takes by itself, without what it shares with others.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Array(items) => items.len() * size_of::<Value>(),
        Value::Object(members) => members.len() * 64,
        _ => 0,
    }
}

pub(super) fn counted(found: usize, expected: &str) -> Problem {
    Problem::new(format!("{found} arguments"), format!("give {expected}"))
}

fn lambda_variable(arguments: &[Expression], frame: &Frame<'_>) -> Result<Value, Failure> {
    let [Expression::Text(name)] = arguments else { return Err(counted(arguments.len(), "one name").into()) };
    let mut bound = frame.bound.as_ref();
    while let Some(one) = bound {
        if one.name.eq_ignore_ascii_case(name) {
            return Ok(one.value.clone());
        }
        bound = one.outer;
    }
    Err(Problem::new(format!("no lambda here has a variable '{name}'"), "name it in the lambda").into())
}

fn unknown(name: &str) -> Problem {
    let known = FUNCTIONS.iter().map(|function| function.name).chain(OTHERS.iter().copied());
    let cure = match nearest(name, known) {
        Some(near) => format!("is {near}() meant?"),
        None => "use one of those that docs/templates.md lists".to_owned(),
    };
    Problem::new(format!("there is no function {name}() here"), cure)
}

fn running<'f>(frame: &Frame<'f>) -> Result<&'f dyn References, Problem> {
    frame.references.ok_or_else(|| {
        let cure =
            "use it in a resource's properties or in outputs: Azure too knows resources only as they are deployed";
        Problem::new("no resource is there yet", cure)
    })
}

/// `copyIndex()`, `copyIndex(offset)`, `copyIndex('loop', offset)`.
fn copy_index(arguments: &[Value], frame: &Frame<'_>) -> Result<Value, Problem> {
    let (name, offset) = match arguments {
        [] => (None, 0),
        [Value::Integer(offset)] => (None, *offset),
        [Value::Text(name)] => (Some(&**name), 0),
        [Value::Text(name), Value::Integer(offset)] => (Some(&**name), *offset),
        _ => return Err(Problem::new("these arguments are none of it", "give the loop's name, an int, both or none")),
    };
    let mut turn = frame.turn.as_ref();
    if let Some(name) = name {
        while let Some(inner) = turn.filter(|turn| !turn.name.eq_ignore_ascii_case(name)) {
            turn = inner.outer;
        }
    }
    let index = turn.and_then(|turn| i64::try_from(turn.index).ok()).and_then(|index| index.checked_add(offset));
    index.map(Value::Integer).ok_or_else(|| {
        let which = name.map_or_else(|| "a loop".to_owned(), |name| format!("a loop '{name}'"));
        Problem::new(format!("this is not in {which}"), "use it where 'copy' is, or name the loop")
    })
}

/// An id of a type and its names, perhaps after a subscription and a resource group.
fn resource_id(subscription: &str, group: Option<&str>, arguments: &[Value]) -> Result<String, Problem> {
    let texts: Option<Vec<&str>> = arguments.iter().map(Value::as_text).collect();
    let texts = texts.ok_or_else(|| Problem::new("not every argument is a string", "give strings"))?;
    let kind = texts.iter().position(|text| text.contains('/'));
    let at =
        kind.ok_or_else(|| Problem::new("no argument is a type", "give one such as Microsoft.EventGrid/namespaces"))?;
    let (before, after) = texts.split_at_checked(at).unwrap_or_default();
    let (kind, names) = after.split_first().map(|(kind, names)| (*kind, names)).unwrap_or_default();
    let (subscription, group) = match before {
        [] => (subscription, group),
        [one] if group.is_some() => (subscription, Some(*one)),
        [one] => (*one, None),
        [subscription, one] if group.is_some() => (*subscription, Some(*one)),
        _ => return Err(Problem::new("there are too many arguments before the type", "give subscription and group")),
    };
    let (wanted, found) = (kind.matches('/').count(), names.len());
    if wanted != found {
        let problem = format!("{found} names for the type {kind}");
        return Err(Problem::new(problem, format!("give {wanted}: one for each part after the provider")));
    }
    Ok(ResourceId::new(subscription, group, kind, &names.join("/")).to_string())
}
