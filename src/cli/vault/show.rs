//! `keymuster vault show`: what the vault holds, and what is to be done about it.

use std::path::Path;

use serde::Serialize;

use super::succession::SucceedsView;
use crate::cli::context::Context;
use crate::cli::due::due;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::log::stray_line;
use crate::cli::output::{Answer, HeadView, count, table, verification_word};
use crate::cli::session::Session;
use crate::record::{Handle, Line, Realm};

fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().into_owned()
}

#[derive(Serialize)]
struct VaultView {
    folder: String,
    vault: String,
    name: Option<String>,
    demo: bool,
    /// The vault that it takes the place of.
    succeeds: Option<SucceedsView>,
    created: Option<String>,
    fingerprint: Option<String>,
    head: HeadView,
    entries: usize,
    user_verification: &'static str,
    custodians: usize,
    readers: Vec<String>,
    /// Those that may sign.
    keys: usize,
    compartments: Vec<CompartmentView>,
    sound: bool,
    fault: Option<String>,
    damage: Vec<String>,
    findings: Vec<String>,
    strays: Vec<String>,
    /// What is to be done about people and keys.
    due: Vec<String>,
}

#[derive(Serialize)]
struct CompartmentView {
    name: String,
    epoch: u32,
    members: Vec<String>,
}

pub fn run(context: &Context) -> Result<Answer, Failure> {
    let session = Session::open(context)?;
    let state = session.state();
    let handles = |handles: &[Handle]| handles.iter().map(Handle::to_string).collect::<Vec<_>>();
    let compartments: Vec<CompartmentView> = state
        .compartments()
        .iter()
        .map(|(name, compartment)| CompartmentView {
            name: name.to_string(),
            epoch: compartment.sealing.epoch,
            members: handles(&compartment.sealing.members),
        })
        .collect();
    let vault = &session.vault;
    let now = context.now()?;
    let view = VaultView {
        folder: absolute(vault.location().layout.root()),
        vault: vault.location().id.to_string(),
        name: state.name().map(Line::to_string),
        demo: state.realm() == Realm::Demo,
        succeeds: SucceedsView::of(state),
        created: state.created().map(|stamp| stamp.time.to_string()),
        fingerprint: vault.fingerprint().map(|digest| digest.to_string()),
        head: (&vault.head()).into(),
        entries: vault.links().len().saturating_sub(1),
        user_verification: verification_word(state.policy().user_verification),
        custodians: state.custodians().len(),
        readers: state.readers().keys().map(Handle::to_string).collect(),
        keys: state.keys().values().filter(|key| key.is_active()).count(),
        compartments,
        sound: session.exit() == exit::DONE,
        fault: vault.fault().map(ToString::to_string),
        damage: vault.damage().iter().map(ToString::to_string).collect(),
        findings: vault.findings(now),
        strays: vault.strays(),
        due: due(state, now),
    };
    let human = shown(&view);
    Ok(Answer::new("vault", &view, human).exiting(session.exit()))
}

fn shown(view: &VaultView) -> String {
    let nobody = "nobody".to_owned();
    let list = |items: &[String]| if items.is_empty() { nobody.clone() } else { items.join(", ") };
    let mut lines = vec![
        (
            "vault",
            format!(
                "{}{}",
                view.name.as_deref().unwrap_or("(unnamed)"),
                if view.demo { "  (demo)" } else { "" }
            ),
        ),
        ("folder", crate::text::sanitise(&view.folder, 200)),
        ("founded", view.created.clone().unwrap_or_default()),
        (
            "log",
            format!(
                "{}, {}",
                count(view.entries, "entry", "entries"),
                if view.sound { "sound" } else { "FAULTY" }
            ),
        ),
        ("fingerprint", view.fingerprint.clone().unwrap_or_default()),
        ("signatures", format!("user verification {}", view.user_verification)),
        (
            "custodians",
            format!("{}, with {}", view.custodians, count(view.keys, "active key", "active keys")),
        ),
        ("readers", list(&view.readers)),
    ];
    if let Some(succeeds) = &view.succeeds {
        lines.insert(1, ("succeeds", succeeds.sentence()));
    }
    if view.keys < 2 {
        lines.push((
            "warning",
            "one active key at most: if it is lost, nothing can be signed any more".to_owned(),
        ));
    }
    let mut text: String =
        lines.iter().map(|(what, value)| format!("{what:<12} {value}\n")).collect();
    let rows: Vec<Vec<String>> = view
        .compartments
        .iter()
        .map(|c| vec![c.name.clone(), c.epoch.to_string(), list(&c.members)])
        .collect();
    text.push('\n');
    text.push_str(&table(&["compartment", "epoch", "members"], &rows));
    text.extend(view.findings.iter().map(|finding| format!("finding: {finding}\n")));
    text.extend(view.strays.iter().map(|stray| stray_line(stray)));
    text.extend(view.due.iter().map(|sentence| format!("due: {sentence}\n")));
    text
}
