//! `keymuster vault card`: one page for the safe, for somebody who is woken at night and locked
//! out: whom to call, where things are, and how to get in.
//!
//! Nothing on it is a secret. It is gathered once, and the text, the page for paper and the JSON
//! are made of that. What is on record has no bounds, and a page has: of many things the first
//! ones are told, and how many more there are.

mod accounts;
mod few;
mod html;
mod opening;
mod people;
mod places;
mod source;
mod text;
mod view;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use few::Bounds;
use source::Source;
use view::CardView;

/// The lines of a page.
const PAGE: usize = 66;

/// `keymuster vault card`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keymuster vault card | lpr\n  \
    keymuster vault card --html > card.html")]
pub struct Card {
    /// As a page for paper in HTML, A4 or Letter
    #[arg(long)]
    html: bool,
}

pub fn run(context: &Context, card: &Card) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let vault = &session.vault;
    let sound = session.exit() == exit::DONE;
    let source =
        Source::new(session.state(), vault.head(), vault.fingerprint(), sound, context.now()?);
    let (view, text) = fitted(&source);
    let human = if card.html { html::page(&view) } else { text };
    let answer = Answer::new("vault-card", &view, human).exiting(session.exit());
    // It is kept elsewhere, and bears the head.
    Ok(answer.giving_out(session.giving_out()))
}

/// As much as fits on a page.
fn fitted(source: &Source<'_>) -> (CardView, String) {
    let mut bounds = Bounds::WIDEST;
    loop {
        let view = CardView::new(source, &bounds);
        let text = text::text(&view);
        match bounds.narrower() {
            Some(narrower) if text.lines().count() > PAGE => bounds = narrower,
            _ => return (view, text),
        }
    }
}
