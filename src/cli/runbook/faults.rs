//! What is wrong with a runbook, as people read it.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::runbook::Fault;

/// How many faults of one runbook people are told.
const MAX_TOLD: usize = 40;

/// Faults as people read them, each with the lines that it is in and what to do.
pub fn told(name: &str, bytes: &[u8], faults: &[Fault]) -> String {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let renderer = Renderer::styled();
    let mut told = String::new();
    for fault in faults.iter().take(MAX_TOLD) {
        let title = Level::ERROR.primary_title(fault.message.as_str()).id(fault.rule.name());
        let hint = Level::HELP.message(fault.hint.as_str());
        let group = if text.is_empty() {
            title.element(hint)
        } else {
            let span = AnnotationKind::Primary.span(fault.span.clone());
            let snippet = Snippet::source(text).path(name).annotation(span);
            title.element(snippet).element(hint)
        };
        told.push_str(&renderer.render(&[group]));
        told.push_str("\n\n");
    }
    if faults.len() > MAX_TOLD {
        told.push_str(&format!("… and {} more\n", faults.len() - MAX_TOLD));
    }
    told
}
