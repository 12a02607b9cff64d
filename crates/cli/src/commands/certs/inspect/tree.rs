//! A chain drawn as a tree, issuers above what they issued.

use gridmq_tls::catalogue::Severity;
use gridmq_tls::inspect::{Chain, Fault, Link};

use crate::output::{self, Colour, Style};

pub(super) fn lines(chain: &Chain, style: Style) -> Vec<String> {
    let tree = chain.tree();
    let mut lines = Vec::with_capacity(tree.len() + 2);
    for (at, (depth, link)) in tree.iter().enumerate() {
        // What is missing is drawn in its place.
        let missing = (*depth == 0).then(|| missing(link)).flatten();
        let shift = usize::from(missing.is_some());
        lines.extend(missing.map(|(text, wrong)| {
            if wrong {
                style.paint(Colour::Red, &format!("✗ {}", output::visible(&text)))
            } else {
                output::visible(&text)
            }
        }));
        let shift = shift + shifted(&tree, at);
        lines.push(line(*depth + shift.min(1), link, style));
    }
    lines
}

/// Does the top above this line stand below something that is missing?
fn shifted(tree: &[(usize, &Link)], at: usize) -> usize {
    let top = tree.get(..=at).and_then(|before| before.iter().rev().find(|(depth, _)| *depth == 0));
    usize::from(top.is_some_and(|(_, link)| missing(link).is_some()))
}

/// The issuer that is not in the file, and whether that is a fault.
fn missing(link: &Link) -> Option<(String, bool)> {
    link.faults.iter().find_map(|fault| match fault {
        Fault::MissingIssuer { issuer } => Some((format!("{issuer} (missing)"), true)),
        Fault::IssuerElsewhere { issuer } => Some((format!("{issuer} (not in the file)"), false)),
        _ => None,
    })
}

fn line(depth: usize, link: &Link, style: Style) -> String {
    let branch = match depth {
        0 => String::new(),
        _ => format!("{}└─ ", "   ".repeat(depth - 1)),
    };
    let name = format!("{} [{}]", output::visible(&link.certificate.subject().to_string()), link.position + 1);
    let shown = |fault: &&Fault| !matches!(fault, Fault::MissingIssuer { .. } | Fault::IssuerElsewhere { .. });
    let faults: Vec<String> =
        link.faults.iter().filter(shown).map(|fault| output::visible(&fault.to_string())).collect();
    if faults.is_empty() {
        return format!("{branch}{name}");
    }
    let text = faults.join(", ");
    let wrong = link.faults.iter().any(|fault| fault.severity() > Severity::Info);
    let remark = if wrong { style.paint(Colour::Red, &format!("✗ {text}")) } else { format!("({text})") };
    format!("{branch}{name} {remark}")
}
