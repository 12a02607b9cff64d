//! Numbers, comparisons and logic.

use super::{LONGEST, Outcome, argument, boolean, integer, text, too_long, wrong};
use crate::template::problem::Problem;
use crate::template::value::Value;

fn calculate(arguments: &[Value], how: fn(i64, i64) -> Option<i64>) -> Outcome {
    let (left, right) = (integer(arguments, 0)?, integer(arguments, 1)?);
    how(left, right).map(Value::Integer).ok_or_else(|| {
        Problem::new(format!("{left} and {right} give no integer of 64 bits"), "use other numbers; none divides by 0")
    })
}

pub(super) fn add(arguments: &[Value]) -> Outcome {
    calculate(arguments, i64::checked_add)
}

pub(super) fn sub(arguments: &[Value]) -> Outcome {
    calculate(arguments, i64::checked_sub)
}

pub(super) fn mul(arguments: &[Value]) -> Outcome {
    calculate(arguments, i64::checked_mul)
}

pub(super) fn div(arguments: &[Value]) -> Outcome {
    calculate(arguments, i64::checked_div)
}

pub(super) fn modulo(arguments: &[Value]) -> Outcome {
    calculate(arguments, i64::checked_rem)
}

pub(super) fn int(arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Integer(number) => Ok(Value::Integer(*number)),
        Value::Float(number) if number.abs() < 9.0e18 => Ok(Value::Integer(number.trunc() as i64)),
        Value::Text(text) => {
            text.trim().parse().map(Value::Integer).map_err(|_| {
                Problem::new(format!("{text:?} is no integer"), "give digits, with - before them if need be")
            })
        }
        _ => Err(wrong(arguments, 0, "an int or a string")),
    }
}

pub(super) fn bool(arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Boolean(value) => Ok(Value::Boolean(*value)),
        Value::Integer(number) => Ok(Value::Boolean(*number != 0)),
        Value::Text(text) if text.eq_ignore_ascii_case("true") || &**text == "1" => Ok(Value::Boolean(true)),
        Value::Text(text) if text.eq_ignore_ascii_case("false") || &**text == "0" => Ok(Value::Boolean(false)),
        _ => Err(wrong(arguments, 0, "a bool, an int, 'true' or 'false'")),
    }
}

pub(super) fn range(arguments: &[Value]) -> Outcome {
    let (start, count) = (integer(arguments, 0)?, super::count(arguments, 1)?);
    // Azure Resource Manager takes 10,000.
    if count > LONGEST / 16 {
        return Err(too_long());
    }
    let end = i64::try_from(count).ok().and_then(|count| start.checked_add(count));
    let end = end.ok_or_else(|| Problem::new("the range leaves 64 bits", "begin it lower"))?;
    Ok(Value::array((start..end).map(Value::Integer)))
}

fn extreme(arguments: &[Value], how: fn(Vec<i64>) -> Option<i64>) -> Outcome {
    let items = match arguments {
        [Value::Array(items)] => items,
        others => others,
    };
    let numbers = (0..items.len()).map(|at| integer(items, at)).collect::<Result<Vec<_>, _>>()?;
    how(numbers).map(Value::Integer).ok_or_else(|| Problem::new("there is no number", "give at least one"))
}

pub(super) fn max(arguments: &[Value]) -> Outcome {
    extreme(arguments, |numbers| numbers.into_iter().max())
}

pub(super) fn min(arguments: &[Value]) -> Outcome {
    extreme(arguments, |numbers| numbers.into_iter().min())
}

pub(super) fn equals(arguments: &[Value]) -> Outcome {
    Ok(Value::Boolean(argument(arguments, 0) == argument(arguments, 1)))
}

/// Numbers, or strings by their code points.
fn compare(arguments: &[Value], how: fn(std::cmp::Ordering) -> bool) -> Outcome {
    let order = match argument(arguments, 0) {
        Value::Text(left) => (**left).cmp(text(arguments, 1)?),
        _ => integer(arguments, 0)?.cmp(&integer(arguments, 1)?),
    };
    Ok(Value::Boolean(how(order)))
}

pub(super) fn less(arguments: &[Value]) -> Outcome {
    compare(arguments, std::cmp::Ordering::is_lt)
}

pub(super) fn less_or_equals(arguments: &[Value]) -> Outcome {
    compare(arguments, std::cmp::Ordering::is_le)
}

pub(super) fn greater(arguments: &[Value]) -> Outcome {
    compare(arguments, std::cmp::Ordering::is_gt)
}

pub(super) fn greater_or_equals(arguments: &[Value]) -> Outcome {
    compare(arguments, std::cmp::Ordering::is_ge)
}

pub(super) fn not(arguments: &[Value]) -> Outcome {
    Ok(Value::Boolean(!boolean(arguments, 0)?))
}

pub(super) fn and(arguments: &[Value]) -> Outcome {
    let all = (0..arguments.len()).map(|at| boolean(arguments, at)).collect::<Result<Vec<_>, _>>()?;
    Ok(Value::Boolean(all.into_iter().all(|one| one)))
}

pub(super) fn or(arguments: &[Value]) -> Outcome {
    let all = (0..arguments.len()).map(|at| boolean(arguments, at)).collect::<Result<Vec<_>, _>>()?;
    Ok(Value::Boolean(all.into_iter().any(|one| one)))
}
