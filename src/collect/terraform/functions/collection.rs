//! Functions of lists, sets and maps.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Answer, Arguments, Table};
use crate::collect::terraform::budget::Budget;
use crate::collect::terraform::evaluate::INEXACT;
use crate::collect::terraform::types::as_text;
use crate::collect::terraform::unify::of_one_type;
use crate::collect::terraform::value::{UnknownValue, Value, is_exact, too_much};

/// The functions that move elements without inspecting them: each element keeps its sensitivity mark.
pub(super) const STRUCTURAL: &[&str] = &[
    "chunklist",
    "concat",
    "element",
    "keys",
    "length",
    "list",
    "lookup",
    "merge",
    "one",
    "reverse",
    "slice",
    "tolist",
    "tomap",
    "values",
];

pub(crate) const TABLE: Table = &[
    ("alltrue", |call| all(call, true)),
    ("anytrue", |call| all(call, false)),
    ("chunklist", chunk_list),
    ("coalesce", coalesce),
    ("coalescelist", coalesce_list),
    ("compact", compact),
    ("concat", concat),
    ("contains", contains),
    ("distinct", distinct),
    ("element", element),
    ("flatten", flatten),
    ("index", position),
    ("keys", |call| {
        let members = call.members(0)?;
        call.made(members.len(), || Value::list(members.keys().cloned().map(Value::Text).collect()))
    }),
    ("length", length),
    ("list", |call| Ok(Value::list(call.values.to_vec()))),
    ("lookup", lookup),
    ("map", map),
    ("matchkeys", match_keys),
    ("merge", merge),
    ("one", one),
    ("range", range),
    ("reverse", |call| {
        let items = call.elements(0)?;
        call.made(items.len(), || Value::list(items.iter().rev().cloned().collect()))
    }),
    ("setintersection", |call| combine(call, true)),
    ("setproduct", product),
    ("setsubtract", subtract),
    ("setunion", |call| combine(call, false)),
    ("slice", slice),
    ("sort", sort),
    ("transpose", transpose),
    ("values", |call| {
        let members = call.members(0)?;
        call.made(members.len(), || Value::list(members.values().cloned().collect()))
    }),
    ("zipmap", zip_map),
];

/// `alltrue` and `anytrue`: one deciding element determines the result, even if others are unknown.
fn all(call: &Arguments<'_>, wanted: bool) -> Answer {
    let mut undecided = None;
    for item in call.elements(0)? {
        match call.flag(item) {
            Ok(flag) if flag == wanted => {}
            Ok(_) => return Ok(Value::Bool(!wanted)),
            Err(hole) => undecided = Some(hole),
        }
    }
    undecided.map_or(Ok(Value::Bool(wanted)), Err)
}

fn chunk_list(call: &Arguments<'_>) -> Answer {
    let (items, size) = (call.elements(0)?, call.whole(1)?);
    match usize::try_from(size) {
        Ok(size) if size > 0 => {
            call.made(items.len(), || Value::list(items.chunks(size).map(|part| Value::list(part.to_vec())).collect()))
        }
        _ => call.wrong("the size is not greater than 0"),
    }
}

fn coalesce(call: &Arguments<'_>) -> Answer {
    for value in of_one_type(call.values.to_vec(), &call.context().budget) {
        match value {
            Value::Null => {}
            Value::Text(text) if text.is_empty() => {}
            Value::Unknown(hole) if !hole.is_text() => return Err(hole),
            value => return Ok(value),
        }
    }
    call.wrong("no argument has a value")
}

fn coalesce_list(call: &Arguments<'_>) -> Answer {
    for index in 0..call.len() {
        if matches!(call.any(index)?, Value::Null) {
            continue;
        }
        if !call.elements(index)?.is_empty() {
            return call.any(index).cloned();
        }
    }
    call.wrong("no argument has elements")
}

fn compact(call: &Arguments<'_>) -> Answer {
    let mut kept = Vec::new();
    for item in call.elements(0)? {
        match item {
            Value::Null => {}
            Value::Text(text) if text.is_empty() => {}
            Value::Unknown(hole) if !hole.is_text() => return Err(Rc::clone(hole)),
            // The function takes texts and converts other types to texts.
            item => kept.push(as_text(item.clone()).unwrap_or_else(|_| item.clone())),
        }
    }
    call.made(kept.len(), || Value::list(kept))
}

fn concat(call: &Arguments<'_>) -> Answer {
    let mut items = Vec::new();
    for index in 0..call.len() {
        items.extend_from_slice(call.elements(index)?);
    }
    call.made(items.len(), || Value::list(items))
}

/// Returns `true` if one of the items equals the wanted item. One equal item decides, even if others are
/// unknown.
fn holds(items: &[Value], wanted: &Value, budget: &Budget) -> Result<bool, Rc<UnknownValue>> {
    // Spends before comparing, so that no work is done with an exhausted budget.
    if !budget.spend(items.len(), 0) {
        return Err(too_much());
    }
    let mut undecided = None;
    for item in items {
        match item.equals_within(wanted, budget) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(hole) => undecided = Some(hole),
        }
    }
    undecided.map_or(Ok(false), Err)
}

fn contains(call: &Arguments<'_>) -> Answer {
    holds(call.elements(0)?, call.any(1)?, &call.context().budget).map(Value::Bool)
}

fn distinct(call: &Arguments<'_>) -> Answer {
    let mut kept: Vec<Value> = Vec::new();
    for item in of_one_type(call.elements(0)?.to_vec(), &call.context().budget) {
        if !holds(&kept, &item, &call.context().budget)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn element(call: &Arguments<'_>) -> Answer {
    let (items, index) = (call.elements(0)?, call.whole(1)?);
    let Ok(count) = i64::try_from(items.len()) else { return call.wrong("the list is too long") };
    if count == 0 {
        return call.wrong("the list is empty");
    }
    let index = usize::try_from(index.rem_euclid(count)).unwrap_or_default();
    Ok(items[index].clone())
}

fn flatten(call: &Arguments<'_>) -> Answer {
    fn add(call: &Arguments<'_>, items: &[Value], flat: &mut Vec<Value>, depth: usize) -> Result<(), Rc<UnknownValue>> {
        const DEEPEST: usize = 200;
        call.within(depth <= DEEPEST && call.context().afford(items.len()))?;
        for item in items {
            match item {
                Value::List(inner) | Value::Set(inner) => add(call, inner, flat, depth + 1)?,
                // The unknown value may be a list.
                Value::Unknown(hole) if !hole.is_text() => return Err(Rc::clone(hole)),
                item => flat.push(item.clone()),
            }
        }
        Ok(())
    }
    let mut flat = Vec::new();
    add(call, call.elements(0)?, &mut flat, 0)?;
    Ok(Value::list(flat))
}

fn position(call: &Arguments<'_>) -> Answer {
    let wanted = call.any(1)?;
    for (index, item) in (0_u32..).zip(call.elements(0)?) {
        if item.equals_within(wanted, &call.context().budget)? {
            return Ok(Value::Number(index.into()));
        }
    }
    call.wrong("there is no such element")
}

fn length(call: &Arguments<'_>) -> Answer {
    let length = match call.present(0)? {
        Value::Map(members) => members.len(),
        Value::Text(_) | Value::Number(_) | Value::Bool(_) => call.text(0)?.graphemes(true).count(),
        _ => call.elements(0)?.len(),
    };
    // Lengths are never so large that this conversion rounds them.
    #[expect(clippy::cast_precision_loss, reason = "nothing that long fits into memory")]
    Ok(Value::Number(length as f64))
}

fn lookup(call: &Arguments<'_>) -> Answer {
    let (members, name) = (call.members(0)?, call.text(1)?);
    match members.get(&*name) {
        Some(value) => Ok(value.clone()),
        None if call.len() > 2 => call.any(2).cloned(),
        None => call.wrong("there is no member of that name"),
    }
}

fn map(call: &Arguments<'_>) -> Answer {
    let mut members = BTreeMap::new();
    for pair in call.values.chunks(2) {
        let [key, value] = pair else { return call.wrong("a key has no value") };
        members.insert(call.known_text(key)?.into(), value.clone());
    }
    Ok(Value::map(members))
}

fn match_keys(call: &Arguments<'_>) -> Answer {
    let (values, keys, wanted) = (call.elements(0)?, call.elements(1)?, call.elements(2)?);
    let mut kept = Vec::new();
    for (value, key) in values.iter().zip(keys) {
        if holds(wanted, key, &call.context().budget)? {
            kept.push(value.clone());
        }
    }
    call.made(kept.len(), || Value::list(kept))
}

fn merge(call: &Arguments<'_>) -> Answer {
    let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for index in 0..call.len() {
        if matches!(call.any(index)?, Value::Null) {
            continue;
        }
        let members = call.members(index)?;
        call.within(call.context().afford(members.len()))?;
        merged.extend(members.iter().map(|(key, value)| (Arc::clone(key), value.clone())));
    }
    Ok(Value::map(merged))
}

fn one(call: &Arguments<'_>) -> Answer {
    match call.elements(0)? {
        [] => Ok(Value::Null),
        [only] => Ok(only.clone()),
        _ => call.wrong("there is more than one element"),
    }
}

fn range(call: &Arguments<'_>) -> Answer {
    /// Limit set by Terraform.
    const MOST: usize = 1024;
    let (start, limit, step) = match call.len() {
        1 => (0.0, call.number(0)?, None),
        2 => (call.number(0)?, call.number(1)?, None),
        _ => (call.number(0)?, call.number(1)?, Some(call.number(2)?)),
    };
    let step = step.unwrap_or(if limit < start { -1.0 } else { 1.0 });
    if step == 0.0 {
        return call.wrong("the step is 0");
    }
    if !(is_exact(start) && is_exact(step)) {
        return call.unknown(INEXACT);
    }
    let mut items = Vec::new();
    let mut current = start;
    while (step > 0.0 && current < limit) || (step < 0.0 && current > limit) {
        if items.len() == MOST {
            return call.wrong("there are more than 1024 numbers");
        }
        items.push(Value::Number(current));
        current += step;
    }
    call.made(items.len(), || Value::list(items))
}

/// The union, or the intersection, of all arguments.
/// The elements of all arguments, which are of one type.
fn of_one_set(call: &Arguments<'_>) -> Result<Vec<Vec<Value>>, Rc<UnknownValue>> {
    let given = (0..call.len()).map(|index| call.elements(index)).collect::<Result<Vec<_>, _>>()?;
    let mut all = of_one_type(given.concat(), &call.context().budget).into_iter();
    Ok(given.iter().map(|items| all.by_ref().take(items.len()).collect()).collect())
}

fn combine(call: &Arguments<'_>, intersect: bool) -> Answer {
    let mut sets = of_one_set(call)?.into_iter();
    let mut kept = sets.next().unwrap_or_default();
    for other in sets {
        if intersect {
            let mut both = Vec::new();
            for item in kept {
                if holds(&other, &item, &call.context().budget)? {
                    both.push(item);
                }
            }
            kept = both;
        } else {
            kept.extend(other);
        }
    }
    Value::set(kept, &call.context().budget)
}

fn subtract(call: &Arguments<'_>) -> Answer {
    let mut sets = of_one_set(call)?.into_iter();
    let (from, other) = (sets.next().unwrap_or_default(), sets.next().unwrap_or_default());
    let mut kept = Vec::new();
    for item in from {
        if !holds(&other, &item, &call.context().budget)? {
            kept.push(item);
        }
    }
    Value::set(kept, &call.context().budget)
}

fn product(call: &Arguments<'_>) -> Answer {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for index in 0..call.len() {
        let items = call.elements(index)?;
        call.within(call.context().afford(rows.len().saturating_mul(items.len()).saturating_mul(call.len())))?;
        let extend = |row: &Vec<Value>| -> Vec<Vec<Value>> {
            items.iter().map(|item| row.iter().cloned().chain([item.clone()]).collect()).collect()
        };
        rows = rows.iter().flat_map(extend).collect();
    }
    Ok(Value::list(rows.into_iter().map(Value::list).collect()))
}

fn slice(call: &Arguments<'_>) -> Answer {
    let (items, start, end) = (call.elements(0)?, call.whole(1)?, call.whole(2)?);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= items.len() => {
            call.made(end - start, || Value::list(items[start..end].to_vec()))
        }
        _ => call.wrong("the bounds lie outside of the list"),
    }
}

fn sort(call: &Arguments<'_>) -> Answer {
    let mut texts = call.elements(0)?.iter().map(|item| call.known_text(item)).collect::<Result<Vec<_>, _>>()?;
    texts.sort();
    call.texts(texts)
}

fn transpose(call: &Arguments<'_>) -> Answer {
    let mut turned: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, items) in call.members(0)? {
        for item in call.elements_of(items)? {
            turned.entry(call.known_text(item)?.into()).or_default().push(Value::Text(Arc::clone(key)));
        }
    }
    Ok(Value::map(turned.into_iter().map(|(key, items)| (key, Value::list(items))).collect()))
}

fn zip_map(call: &Arguments<'_>) -> Answer {
    let (keys, values) = (call.elements(0)?, call.elements(1)?);
    if keys.len() != values.len() {
        return call.wrong("there are not as many keys as values");
    }
    let mut members = BTreeMap::new();
    for (key, value) in keys.iter().zip(values) {
        members.insert(call.known_text(key)?.into(), value.clone());
    }
    call.made(members.len(), || Value::map(members))
}
