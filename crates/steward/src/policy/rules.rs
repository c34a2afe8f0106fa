//! Rules of policies as flat lists, to be shown and compared: `snp.minimum_tcb.snp = 29`.

use attest::policy::Policy;
use serde_json::Value;

/// One rule: its dotted name, and its value as JSON.
pub type Rule = (String, String);

/// A rule that two policies differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its dotted name.
    pub name: String,
    /// What the old one says; nothing if it has no such rule.
    pub old: Option<String>,
    /// What the new one says.
    pub new: Option<String>,
}

/// Every rule with its value, those that are left to their default included, in the order of their names.
pub fn list(policy: &Policy) -> Vec<Rule> {
    let mut rules = Vec::new();
    // Plain data with string keys: serialization cannot fail.
    flatten("", &serde_json::to_value(&**policy).unwrap_or_default(), &mut rules);
    rules.sort();
    rules
}

/// The rules that differ.
pub fn differences(old: &Policy, new: &Policy) -> Vec<Difference> {
    let (old, new) = (list(old), list(new));
    let find = |rules: &[Rule], name: &str| {
        rules.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut names: Vec<&String> = old.iter().chain(&new).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let differences = names.into_iter().map(|name| Difference {
        name: name.clone(),
        old: find(&old, name),
        new: find(&new, name),
    });
    differences.filter(|difference| difference.old != difference.new).collect()
}

fn flatten(name: &str, value: &Value, rules: &mut Vec<Rule>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                let separator = if name.is_empty() { "" } else { "." };
                flatten(&format!("{name}{separator}{member}"), value, rules);
            }
        }
        _ => rules.push((name.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let read = |text| Policy::from_toml(text).expect("a policy");
        let old = read("[revocation]\nmax_age_seconds = 60\n");
        let new = read("[revocation]\nmax_age_seconds = 30\n[accept]\ndebug = true\n");
        let found = differences(&old, &new);
        let expect = |name: &str, old: &str, new: &str| Difference {
            name: name.to_owned(),
            old: Some(old.to_owned()),
            new: Some(new.to_owned()),
        };
        assert_eq!(
            found,
            [expect("accept.debug", "false", "true"), expect("revocation.max_age_seconds", "60", "30")]
        );
        assert_eq!(differences(&old, &old), []);
    }
}
