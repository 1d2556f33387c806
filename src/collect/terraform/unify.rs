//! One type for several values, such as the elements of a list or the results of a conditional: numbers and bools beside
//! a string are strings, also within lists, tuples, maps and objects.
//! <https://developer.hashicorp.com/terraform/language/expressions/types#type-conversion>

use super::budget::Budget;
use super::types::as_text;
use super::value::{Value, too_much};

/// Converts values to the one type that Terraform finds for them.
pub(super) fn of_one_type(values: Vec<Value>, budget: &Budget) -> Vec<Value> {
    let has_text = values.iter().any(|value| matches!(plain(value), Value::Text(_)));
    if has_text && !values.iter().all(|value| matches!(value, Value::Text(_))) {
        return values.into_iter().map(scalar_as_text).collect();
    }
    let collections: Vec<&Value> = values.iter().map(plain).filter(|value| value.is_collection()).collect();
    let are_maps = |value: &&Value| matches!(value, Value::Map(_));
    let maps = collections.iter().filter(|value| are_maps(value)).count();
    if collections.len() < 2 || (maps != 0 && maps != collections.len()) {
        return values;
    }
    let rows: Vec<Vec<Value>> = collections.iter().map(|value| items(value)).collect();
    if !budget.elements(rows.iter().map(Vec::len).sum()) {
        return vec![Value::Unknown(too_much()); values.len()];
    }
    let rows = if collections.windows(2).all(|pair| have_same_places(pair[0], pair[1])) {
        by_place(rows, budget)
    } else {
        all_alike(&rows, budget)
    };
    let mut rows = rows.into_iter();
    let mut converted = |value: Value| match plain(&value).is_collection().then(|| rows.next()).flatten() {
        Some(row) => with_items(value, row, budget),
        None => value,
    };
    values.into_iter().map(&mut converted).collect()
}

/// The value without the mark that it must not be shown.
fn plain(value: &Value) -> &Value {
    if let Value::Sensitive(value) = value { plain(value) } else { value }
}

fn scalar_as_text(value: Value) -> Value {
    match value {
        Value::Sensitive(value) => {
            as_text((*value).clone()).map(Value::into_sensitive).unwrap_or(Value::Sensitive(value))
        }
        value => as_text(value.clone()).unwrap_or(value),
    }
}

/// The elements of a list, set, map or object.
fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) | Value::Set(items) => items.to_vec(),
        Value::Map(members) => members.values().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Returns `true` if two tuples may have one tuple type, or two objects one object type.
fn have_same_places(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => one.keys().eq(other.keys()),
        _ => items_count(one) == items_count(other),
    }
}

fn items_count(value: &Value) -> usize {
    value.elements().map_or(0, <[Value]>::len)
}

/// Finds one type for each place of tuples or objects.
fn by_place(rows: Vec<Vec<Value>>, budget: &Budget) -> Vec<Vec<Value>> {
    let mut result = vec![Vec::new(); rows.len()];
    for column in transposed(rows) {
        for (row, value) in result.iter_mut().zip(of_one_type(column, budget)) {
            row.push(value);
        }
    }
    result
}

fn transposed(rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    let mut columns = vec![Vec::new(); rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns
}

/// Finds one type for all elements, as lists and maps have it.
fn all_alike(rows: &[Vec<Value>], budget: &Budget) -> Vec<Vec<Value>> {
    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    let mut all = of_one_type(rows.concat(), budget).into_iter();
    lengths.into_iter().map(|length| all.by_ref().take(length).collect()).collect()
}

/// The collection with other elements.
fn with_items(collection: Value, items: Vec<Value>, budget: &Budget) -> Value {
    match collection {
        Value::Sensitive(inner) => with_items((*inner).clone(), items, budget).into_sensitive(),
        Value::List(_) => Value::list(items),
        Value::Set(_) => Value::set(items, budget).unwrap_or_else(Value::Unknown),
        Value::Map(members) => Value::map(members.keys().cloned().zip(items).collect()),
        other => other,
    }
}
