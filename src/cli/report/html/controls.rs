//! For which controls a report is evidence.

use std::fmt::Write as _;

use super::super::view::ReportView;
use super::{or_dash, table};
use crate::cli::html::escaped;

pub fn controls(view: &ReportView) -> String {
    let mut html = format!(
        "<p>What in this report is evidence for which control. It isn't a judgement that a control is \
         met. Version {} of the map, of {}.</p>\n",
        view.control_map_version,
        escaped(&view.control_map_dated)
    );
    for framework in &view.frameworks {
        let _ = writeln!(
            html,
            "<h3>{}</h3>\n<p class=\"note\">{}, <a href=\"{2}\">{2}</a></p>",
            escaped(&framework.name),
            escaped(&framework.edition),
            escaped(&framework.source)
        );
        let rows: Vec<Vec<String>> = view
            .controls
            .iter()
            .filter(|control| control.framework == framework.id)
            .map(|control| {
                let evidence: Vec<String> = control
                    .evidence
                    .iter()
                    .map(|it| {
                        let found = match it.found {
                            None => String::new(),
                            Some(0) => ": none here".to_owned(),
                            Some(many) => format!(": {many}"),
                        };
                        format!("<a href=\"#{}\">{}</a>{found}", it.section, it.called)
                    })
                    .collect();
                vec![
                    escaped(&control.control),
                    escaped(&control.asks),
                    evidence.join(", "),
                    escaped(&control.shows),
                    or_dash(control.limits.as_ref(), |it| escaped(it)),
                ]
            })
            .collect();
        let headings = ["Control", "Asks", "Evidence for it", "What that shows", "What it doesn't"];
        html.push_str(&table(&escaped(&framework.name).replace('"', "&quot;"), &headings, &rows));
    }
    html
}
