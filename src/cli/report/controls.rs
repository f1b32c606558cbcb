//! The control map, as a report shows it.

use serde::Serialize;

use crate::audit::{ControlMap, Part};
use crate::cli::exit;
use crate::cli::failure::Failure;

/// The map, to be shown.
pub struct MapView {
    pub version: u32,
    pub dated: String,
    pub frameworks: Vec<FrameworkView>,
    pub controls: Vec<ControlView>,
}

#[derive(Debug, Serialize)]
pub struct FrameworkView {
    pub id: String,
    pub name: String,
    pub edition: String,
    pub source: String,
}

#[derive(Debug, Serialize)]
pub struct ControlView {
    pub framework: String,
    pub control: String,
    pub asks: String,
    pub evidence: Vec<EvidenceView>,
    pub shows: String,
    pub limits: Option<String>,
}

/// A part of the report that is evidence for something.
#[derive(Debug, Serialize)]
pub struct EvidenceView {
    /// The section of the page.
    pub section: &'static str,
    /// What it is called.
    pub called: &'static str,
    /// How much of it there is in this log; nothing where that isn't counted.
    pub found: Option<usize>,
}

/// The map that this version comes with.
/// `found` counts how much of a part there is.
pub fn controls(found: impl Fn(Part) -> Option<usize>) -> Result<MapView, Failure> {
    let map = ControlMap::shipped()
        .map_err(|error| Failure::because(exit::FAILED, "a bug in keymuster", &error))?;
    Ok(MapView {
        version: map.version,
        dated: map.dated,
        frameworks: map
            .frameworks
            .into_iter()
            .map(|it| FrameworkView {
                id: it.id,
                name: it.name,
                edition: it.edition,
                source: it.source,
            })
            .collect(),
        controls: map
            .controls
            .into_iter()
            .map(|it| ControlView {
                framework: it.framework,
                control: it.control,
                asks: it.asks,
                evidence: it.evidence.into_iter().map(|part| section(part, found(part))).collect(),
                shows: it.why,
                limits: it.limits,
            })
            .collect(),
    })
}

/// Where a part stands on the page.
fn section(part: Part, found: Option<usize>) -> EvidenceView {
    let (section, called) = match part {
        Part::Verdicts => ("verdicts", "verdicts on the log"),
        Part::Population => ("population", "what was due"),
        Part::Drills => ("drills", "drills"),
        Part::Reviews => ("drills", "reviews of drills"),
        Part::Exceptions => ("findings", "exceptions"),
        Part::Actions => ("actions", "corrective actions"),
        Part::Custodians => ("custodians", "custodians"),
        Part::Keys => ("keys", "keys"),
        Part::DualControl => ("signatures", "entries signed by several"),
        Part::Accounts => ("accounts", "accounts"),
        Part::WaysIn => ("ways", "ways in"),
        Part::Secrets => ("log", "receipts of secrets"),
        Part::Policy => ("policy", "rules in force"),
    };
    EvidenceView { section, called, found }
}
