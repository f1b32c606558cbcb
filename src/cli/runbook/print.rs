//! `keymuster runbook print`

use clap::Args;
use serde::Serialize;

use super::chosen::Which;
use super::page::page;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;

/// `keymuster runbook print`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster runbook print quarterly > quarterly.html\n  \
    keymuster runbook print mine.md > mine.html")]
pub struct Print {
    #[command(flatten)]
    which: Which,
}

#[derive(Serialize)]
struct PageView {
    runbook: String,
    sha256: String,
    html: String,
}

pub fn run(context: &Context, print: &Print) -> Result<Answer, Failure> {
    let chosen = print.which.choose(context)?;
    let html = page(&chosen.runbook, &chosen.sha256);
    let view = PageView {
        runbook: chosen.runbook.id.to_string(),
        sha256: chosen.sha256.to_string(),
        html: html.clone(),
    };
    Ok(Answer::new("runbook-page", &view, html))
}
