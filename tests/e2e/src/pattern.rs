//! Texts with parts that vary from run to run.

/// Whether `text` is `pattern`, in which each `[..]` stands for any characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, others)) = pattern.split_once("[..]") else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = others.rsplit_once("[..]").unwrap_or(("", others));
    for part in middle.split("[..]") {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_anything() {
        for (pattern, text) in [
            ("", ""),
            ("a", "a"),
            ("[..]", ""),
            ("[..]", "a\nb"),
            ("a[..]c", "abc"),
            ("a[..]c[..]e", "abcde"),
            ("[..]b", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", "ab"), ("a[..]c", "ab"), ("a[..]a", "a"), ("[..]x[..]", "abc")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
