//! Functions that take lambdas.

use std::sync::Arc;

use super::context::Context;
use super::evaluate::{Bound, Frame, counted};
use super::expression::Expression;
use super::problem::{Failure, Problem};
use super::value::{Object, Value};

type Outcome = Result<Value, Failure>;

/// `lambda('one', 'two', body)`.
struct Lambda<'e> {
    names: Vec<&'e str>,
    body: &'e Expression,
}

impl<'e> Lambda<'e> {
    fn read(expression: Option<&'e Expression>, takes: &[usize]) -> Result<Self, Problem> {
        let wrong = || Problem::new("this argument is no lambda", "write lambda('item', …)");
        let Some(Expression::Call { namespace: None, name, arguments }) = expression else { return Err(wrong()) };
        let (body, names) = arguments.split_last().filter(|_| name == "lambda").ok_or_else(wrong)?;
        let name = |name: &'e Expression| match name {
            Expression::Text(name) => Ok(name.as_str()),
            _ => Err(Problem::new("a lambda's variable is no string", "name it: lambda('item', …)")),
        };
        let names = names.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        if !takes.contains(&names.len()) {
            let takes: Vec<_> = takes.iter().map(usize::to_string).collect();
            let problem = format!("the lambda has {} variables", names.len());
            return Err(Problem::new(problem, format!("give it {}", takes.join(" or "))));
        }
        Ok(Self { names, body })
    }
}

impl Context<'_> {
    fn run(&self, lambda: &Lambda<'_>, values: &[&Value], frame: &Frame<'_>) -> Outcome {
        let mut names = lambda.names.iter().zip(values);
        self.bind(&mut names, lambda.body, frame)
    }

    fn bind(
        &self,
        rest: &mut std::iter::Zip<std::slice::Iter<'_, &str>, std::slice::Iter<'_, &Value>>,
        body: &Expression,
        frame: &Frame<'_>,
    ) -> Outcome {
        match rest.next() {
            Some((name, value)) => {
                let bound = Bound { name, value, outer: frame.bound.as_ref() };
                self.bind(rest, body, &Frame { bound: Some(bound), ..*frame })
            }
            None => self.expression(body, frame),
        }
    }

    /// The outcome, if `name` is one of these functions.
    pub(super) fn with_lambda(&self, name: &str, arguments: &[Expression], frame: &Frame<'_>) -> Option<Outcome> {
        Some(match name {
            "map" => self.map(arguments, frame),
            "filter" => self.filter(arguments, frame),
            "reduce" => self.reduce(arguments, frame),
            "sort" => self.sort(arguments, frame),
            "toobject" => self.to_object(arguments, frame),
            "groupby" => self.group_by(arguments, frame),
            "mapvalues" => self.map_values(arguments, frame),
            "lambda" => Err(Problem::new("a lambda by itself", "give it to map(), filter() or their like").into()),
            _ => return None,
        })
    }

    fn items(&self, arguments: &[Expression], frame: &Frame<'_>) -> Result<Arc<[Value]>, Failure> {
        let first = arguments.first().ok_or_else(|| counted(0, "an array and a lambda"))?;
        match self.expression(first, frame)? {
            Value::Array(items) => Ok(items),
            other => Err(Problem::new(format!("argument 1 is {}", other.kind()), "give an array").into()),
        }
    }

    fn key(&self, lambda: &Lambda<'_>, item: &Value, frame: &Frame<'_>) -> Result<String, Failure> {
        match self.run(lambda, &[item], frame)? {
            Value::Text(text) => Ok(text.to_string()),
            other => Err(Problem::new(format!("the lambda gives {}", other.kind()), "let it give a string").into()),
        }
    }

    fn truth(&self, lambda: &Lambda<'_>, values: &[&Value], frame: &Frame<'_>) -> Result<bool, Failure> {
        match self.run(lambda, values, frame)? {
            Value::Boolean(truth) => Ok(truth),
            other => Err(Problem::new(format!("the lambda gives {}", other.kind()), "let it give a bool").into()),
        }
    }

    fn map(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let (items, lambda) = (self.items(arguments, frame)?, Lambda::read(arguments.get(1), &[1, 2])?);
        let mapped = items.iter().enumerate().map(|(at, item)| self.run(&lambda, &[item, &place(at)], frame));
        Ok(Value::array(mapped.collect::<Result<Vec<_>, _>>()?))
    }

    fn filter(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let (items, lambda) = (self.items(arguments, frame)?, Lambda::read(arguments.get(1), &[1, 2])?);
        let mut kept = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if self.truth(&lambda, &[item, &place(at)], frame)? {
                kept.push(item.clone());
            }
        }
        Ok(Value::array(kept))
    }

    fn reduce(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let (items, lambda) = (self.items(arguments, frame)?, Lambda::read(arguments.get(2), &[2, 3])?);
        let initial = arguments.get(1).ok_or_else(|| counted(arguments.len(), "3"))?;
        let mut reduced = self.expression(initial, frame)?;
        for (at, item) in items.iter().enumerate() {
            reduced = self.run(&lambda, &[&reduced, item, &place(at)], frame)?;
        }
        Ok(reduced)
    }

    /// Merges runs that are in order, so that any comparison ends.
    fn sort(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let (items, lambda) = (self.items(arguments, frame)?, Lambda::read(arguments.get(1), &[2])?);
        let mut runs: Vec<Vec<Value>> = items.iter().map(|item| vec![item.clone()]).collect();
        while runs.len() > 1 {
            let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
            let mut pairs = runs.into_iter();
            while let Some(left) = pairs.next() {
                merged.push(match pairs.next() {
                    Some(right) => self.merge(&lambda, left, right, frame)?,
                    None => left,
                });
            }
            runs = merged;
        }
        Ok(Value::array(runs.pop().unwrap_or_default()))
    }

    fn merge(
        &self,
        lambda: &Lambda<'_>,
        left: Vec<Value>,
        right: Vec<Value>,
        frame: &Frame<'_>,
    ) -> Result<Vec<Value>, Failure> {
        let mut merged = Vec::with_capacity(left.len() + right.len());
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
            // The right one goes first only where it is less: what is equal keeps its order.
            let next = if self.truth(lambda, &[other, one], frame)? { right.next() } else { left.next() };
            merged.extend(next);
        }
        merged.extend(left.chain(right));
        Ok(merged)
    }

    fn to_object(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let (items, key) = (self.items(arguments, frame)?, Lambda::read(arguments.get(1), &[1])?);
        let value = arguments.get(2).map(|lambda| Lambda::read(Some(lambda), &[1])).transpose()?;
        let mut object = Object::new();
        for item in items.iter() {
            let made = value.as_ref().map_or_else(|| Ok(item.clone()), |value| self.run(value, &[item], frame))?;
            object.insert(self.key(&key, item, frame)?, made);
        }
        Ok(Value::Object(Arc::new(object)))
    }

    fn group_by(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let (items, key) = (self.items(arguments, frame)?, Lambda::read(arguments.get(1), &[1])?);
        let mut groups: std::collections::BTreeMap<String, Vec<Value>> = std::collections::BTreeMap::new();
        for item in items.iter() {
            groups.entry(self.key(&key, item, frame)?).or_default().push(item.clone());
        }
        Ok(Value::object(groups.into_iter().map(|(name, items)| (name, Value::array(items)))))
    }

    fn map_values(&self, arguments: &[Expression], frame: &Frame<'_>) -> Outcome {
        let first = arguments.first().ok_or_else(|| counted(0, "an object and a lambda"))?;
        let lambda = Lambda::read(arguments.get(1), &[1])?;
        let Value::Object(members) = self.expression(first, frame)? else {
            return Err(Problem::new("argument 1 is no object", "give one").into());
        };
        let mapped = members.iter().map(|(name, value)| Ok((name.clone(), self.run(&lambda, &[value], frame)?)));
        Ok(Value::Object(Arc::new(mapped.collect::<Result<Object, Failure>>()?)))
    }
}

fn place(at: usize) -> Value {
    Value::Integer(i64::try_from(at).unwrap_or(i64::MAX))
}
