//! Lines.

/// How long ago something was, in whole days.
pub(crate) fn days_ago(seconds: u64) -> String {
    match seconds / 86_400 {
        0 => "less than a day ago".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

/// Breaks lines at spaces so that none is longer than `width`; lines after the first begin with `indent` spaces. A word
/// that is longer stays whole: it may be a path or a command.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            new_line(&mut wrapped, indent);
        }
        let mut used = 0;
        for word in words(line) {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > width {
                new_line(&mut wrapped, indent);
                used = 0;
            } else if used > 0 {
                wrapped.push(' ');
                used += 1;
            }
            wrapped.push_str(word);
            used += length;
        }
    }
    wrapped
}

/// The words of a line; a number and its unit are one.
fn words(line: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    let mut from = 0;
    for (at, _) in line.match_indices(' ').chain([(line.len(), "")]) {
        let Some(word) = line.get(from..at) else { continue };
        let next = line.get(at..).unwrap_or_default().trim_start_matches(' ');
        let unit = next.split([' ', ',', ';']).next().unwrap_or_default();
        let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if at < line.len() && number && matches!(unit, "ms" | "s" | "B" | "d" | "days" | "bytes") {
            continue;
        }
        words.push(word);
        from = at + 1;
    }
    words
}

fn new_line(text: &mut String, indent: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

/// The text with control characters, and those that change the direction of writing, made visible.
#[must_use]
pub fn visible(text: &str) -> String {
    let harmless = |c: char| {
        (!c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
            || c == '\n'
    };
    if text.chars().all(harmless) {
        return text.to_owned();
    }
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}
