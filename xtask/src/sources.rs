//! The workspace's Rust sources and the tests in them, read as text.

use std::path::{Path, PathBuf};

use crate::shell::{Context, Result, root};

/// Directories that hold no source of ours.
const SKIPPED: [&str; 3] = ["target", "node_modules", "corpus"];

/// A Rust source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Whether the file holds nothing but tests or benchmarks.
    pub(crate) fn is_test_only(&self) -> bool {
        let mut parts = self.path.split('/').rev();
        parts.next() == Some("tests.rs") || parts.any(|dir| dir == "tests" || dir == "benches")
    }
}

/// A function that the test harness runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestFn {
    pub(crate) name: String,
    pub(crate) ignored: Ignored,
}

/// Whether `#[ignore]` stands before a test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    No,
    WithoutReason,
    Because(String),
}

/// All sources, in the order of their paths.
pub(crate) fn all() -> Result<Vec<Source>> {
    let root = root();
    let mut found = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        let entries = std::fs::read_dir(&dir).context(format_args!("cannot list {}", dir.display()))?;
        for entry in entries {
            let entry = entry.context(format_args!("cannot list {}", dir.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().context(format_args!("cannot look at {}", entry.path().display()))?;
            if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                dirs.push(entry.path());
            } else if kind.is_file() && name.ends_with(".rs") {
                found.push(read(&root, entry.path())?);
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn read(root: &Path, file: PathBuf) -> Result<Source> {
    let text = std::fs::read_to_string(&file).context(format_args!("cannot read {}", file.display()))?;
    let relative = file.strip_prefix(root).unwrap_or(&file);
    let path = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    Ok(Source { path, text })
}

/// The tests of a file, including those inside `proptest!`.
///
/// A reading of lines, not of the language: an attribute begins its line, and `fn` begins the line after the
/// attributes, as rustfmt lays them out.
pub(crate) fn tests(text: &str) -> Vec<TestFn> {
    let mut found = Vec::new();
    let mut attributes = String::new();
    let mut in_comment = false;
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if in_comment || line.starts_with("/*") {
            in_comment = !line.contains("*/");
        } else if line.is_empty() || line.starts_with("//") {
        } else if line.starts_with("#[") {
            attributes.push_str(line);
            let mut depth = brackets(line);
            while depth > 0 {
                let Some(more) = lines.next() else { break };
                attributes.push_str(more);
                depth += brackets(more);
            }
            attributes.push('\n');
        } else {
            if let Some(name) = function_name(line).filter(|_| is_test(&attributes)) {
                found.push(TestFn { name, ignored: ignored(&attributes) });
            }
            attributes.clear();
        }
    }
    found
}

fn brackets(line: &str) -> i32 {
    let mut quoted = false;
    let mut depth = 0;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}

fn is_test(attributes: &str) -> bool {
    attributes.lines().any(|line| {
        let path = line.trim_start_matches("#[").split(['(', ']', ' ']).next().unwrap_or_default();
        path == "test" || path.ends_with("::test") || path == "test_case"
    })
}

fn ignored(attributes: &str) -> Ignored {
    let Some(line) = attributes.lines().find(|line| line.starts_with("#[ignore")) else { return Ignored::No };
    match line.split('"').nth(1).map(str::trim) {
        Some(reason) if !reason.is_empty() => Ignored::Because(reason.to_owned()),
        _ => Ignored::WithoutReason,
    }
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let rest = words.find(|word| !matches!(*word, "pub" | "async" | "pub(crate)" | "const"))?;
    if rest != "fn" {
        return None;
    }
    let name: String = words.next()?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        tests(text).into_iter().map(|test| test.name).collect()
    }

    #[test]
    fn tests_of_every_kind_are_found() {
        let text = r#"
            #[test]
            fn plain() {}
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn asynchronous() {}
            proptest! {
                #![proptest_config(config())]
                /// Words between.
                #[test]
                fn property(x in 0..9) {}
            }
            #[test]
            #[should_panic(
                expected = "a ] in a string"
            )]
            fn several_attributes() {}
        "#;
        assert_eq!(names(text), ["plain", "asynchronous", "property", "several_attributes"]);
    }

    #[test]
    fn what_is_not_a_test_is_not_found() {
        let text = "
            fn helper() {}
            // #[test]
            fn after_a_comment() {}
            /*
            #[test]
            fn inside_a_comment() {}
            */
            #[test]
            struct Odd;
            fn after_something_else() {}
            #[cfg(test)]
            fn only_compiled_for_tests() {}
        ";
        assert_eq!(names(text), Vec::<String>::new());
    }

    #[test]
    fn ignored_tests_tell_their_reason() {
        // On one line, so that this file's own text has no such test.
        let text = "#[test]\n#[ignore]\nfn a() {}\n#[test]\n#[ignore = \"needs a printer\"]\nfn b() {}";
        let kinds: Vec<_> = tests(text).into_iter().map(|test| test.ignored).collect();
        assert_eq!(kinds, [Ignored::WithoutReason, Ignored::Because("needs a printer".into())]);
    }

    #[test]
    fn test_only_files_are_known_by_their_path() {
        let is = |path: &str| Source { path: path.into(), text: String::new() }.is_test_only();
        assert!(is("crates/proto/tests/common/strategies.rs"));
        assert!(is("crates/proto/src/topic/tests.rs"));
        assert!(is("crates/proto/benches/decode.rs"));
        assert!(!is("crates/testkit/src/lib.rs"));
    }
}
