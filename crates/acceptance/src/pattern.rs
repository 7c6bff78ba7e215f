//! Patterns: JSON that names only what must be there, and directives in it.

use serde_json::Value;

/// A member that differs from its pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The path of the member, such as `failure.subject.name`.
    pub(crate) member: String,
    /// The expected value, in JSON or in words.
    pub(crate) expected: String,
    /// The value that was found.
    pub(crate) found: String,
}

impl Difference {
    pub(crate) fn new(member: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self { member: member.into(), expected: expected.to_string(), found: shortened(found.to_string()) }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { member, expected, found } = self;
        write!(f, "{member}: expected {expected}, found {found}")
    }
}

/// The beginning of a long text.
fn shortened(text: String) -> String {
    const MAX: usize = 1000;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Compares a value with a pattern. Objects may have more members than their pattern, arrays have as many items as theirs.
///
/// An object with these members is a directive: `$contains` (a part of a text), `$length` (of an array), `$first` (patterns of the
/// first items of an array) and `$last` (of the last ones).
pub(crate) fn compare(member: &str, pattern: &Value, found: Option<&Value>, differences: &mut Vec<Difference>) {
    let differs = || Difference::new(member, pattern, found.map_or("nothing".into(), Value::to_string));
    match (pattern, found) {
        (Value::Object(directives), _) if directives.keys().any(|key| key.starts_with('$')) => {
            for (directive, value) in directives {
                let fits = match (directive.as_str(), value, found) {
                    ("$contains", Value::String(part), Some(Value::String(text))) => text.contains(part),
                    ("$length", Value::Number(length), Some(Value::Array(items))) => {
                        length.as_u64() == Some(items.len() as u64)
                    }
                    ("$first", Value::Array(first), Some(Value::Array(items))) if first.len() <= items.len() => {
                        compare_items(member, 0, first, items, differences);
                        true
                    }
                    ("$last", Value::Array(last), Some(Value::Array(items))) if last.len() <= items.len() => {
                        compare_items(member, items.len() - last.len(), last, items, differences);
                        true
                    }
                    _ => false,
                };
                if !fits {
                    differences.push(differs());
                }
            }
        }
        (Value::Object(members), Some(Value::Object(found))) => {
            for (name, pattern) in members {
                compare(&format!("{member}.{name}"), pattern, found.get(name), differences);
            }
        }
        (Value::Array(patterns), Some(Value::Array(items))) if patterns.len() == items.len() => {
            compare_items(member, 0, patterns, items, differences);
        }
        (pattern, Some(found)) if pattern == found => {}
        _ => differences.push(differs()),
    }
}

fn compare_items(member: &str, start: usize, patterns: &[Value], items: &[Value], differences: &mut Vec<Difference>) {
    for (place, (pattern, item)) in patterns.iter().zip(items.iter().skip(start)).enumerate() {
        compare(&format!("{member}[{}]", start + place), pattern, Some(item), differences);
    }
}

/// Replaces directives in arguments: `{"$repeat": n, "value": v}` is an array of n times v, and of a text it is one text.
pub(crate) fn expand(value: &Value) -> Value {
    match value {
        Value::Object(members) => match (members.get("$repeat").and_then(Value::as_u64), members.get("value")) {
            (Some(times), Some(Value::String(text))) if members.get("as").is_some_and(|form| form == "text") => {
                Value::String(text.repeat(usize::try_from(times).unwrap_or_default()))
            }
            (Some(times), Some(value)) => (0..times).map(|_| expand(value)).collect(),
            _ => members.iter().map(|(name, value)| (name.clone(), expand(value))).collect(),
        },
        Value::Array(items) => items.iter().map(expand).collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(pattern: &Value, found: &Value) -> Vec<String> {
        let mut differences = Vec::new();
        compare("output", pattern, Some(found), &mut differences);
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pattern_names_what_must_be_there() {
        let found = json!({"a": 1, "b": [{"c": "some words"}, {"c": "x"}], "d": null});
        for pattern in [
            json!({}),
            json!({"a": 1, "d": null}),
            json!({"b": [{}, {"c": "x"}]}),
            json!({"b": {"$length": 2, "$first": [{"c": {"$contains": "me wo"}}], "$last": [{"c": "x"}]}}),
        ] {
            assert_eq!(differences(&pattern, &found), [""; 0], "{pattern}");
        }
        for (pattern, difference) in [
            (json!({"a": 2}), "output.a: expected 2, found 1"),
            (json!({"e": null}), "output.e: expected null, found nothing"),
            (json!({"d": {}}), "output.d: expected {}, found null"),
            (json!({"b": [{}]}), r#"output.b: expected [{}], found [{"c":"some words"},{"c":"x"}]"#),
            (json!({"b": [{}, {"c": "y"}]}), r#"output.b[1].c: expected "y", found "x""#),
            (json!({"b": {"$last": [{"c": "y"}]}}), r#"output.b[1].c: expected "y", found "x""#),
            (json!({"a": {"$contains": "1"}}), r#"output.a: expected {"$contains":"1"}, found 1"#),
            (json!({"a": {"$unknown": 1}}), r#"output.a: expected {"$unknown":1}, found 1"#),
        ] {
            assert_eq!(differences(&pattern, &found), [difference], "{pattern}");
        }
    }

    #[test]
    fn repetitions_are_written_out() {
        assert_eq!(expand(&json!({"users": {"$repeat": 2, "value": "A"}})), json!({"users": ["A", "A"]}));
        assert_eq!(expand(&json!({"$repeat": 3, "value": "ab", "as": "text"})), json!("ababab"));
    }
}
