//! The control map: for which controls of which frameworks a log has evidence. It is data, with a
//! version of its own; it says "evidence for", and never that anything is complied with.

use serde::Deserialize;

/// The map that this version comes with.
const MAP: &str = include_str!("controls.toml");

/// The whole map.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlMap {
    /// Rises when an entry comes to mean something else.
    pub version: u32,
    /// The day on which it was last held against its sources.
    pub dated: String,
    /// The frameworks.
    #[serde(rename = "framework")]
    pub frameworks: Vec<Framework>,
    /// Their controls.
    #[serde(rename = "control")]
    pub controls: Vec<Control>,
}

/// What auditors audit by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// What controls name it by.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Which edition.
    pub edition: String,
    /// Where it is published.
    pub source: String,
}

/// Something that a framework asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Of which framework.
    pub framework: String,
    /// Its number there.
    pub control: String,
    /// What it asks for, in our words.
    pub asks: String,
    /// The parts of a report that are evidence for it.
    pub evidence: Vec<Part>,
    /// What they show.
    pub why: String,
    /// What they don't.
    pub limits: Option<String>,
}

/// A part of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Whether the log is whole and genuine.
    Verdicts,
    /// What was due, and what became of it.
    Population,
    /// Drills.
    Drills,
    /// What others said of them.
    Reviews,
    /// What was otherwise in them.
    Exceptions,
    /// What is to be put right.
    Actions,
    /// Custodians, and the duties that they acknowledged.
    Custodians,
    /// Keys.
    Keys,
    /// That two sign.
    DualControl,
    /// Accounts.
    Accounts,
    /// The ways into them.
    WaysIn,
    /// Secrets in custody.
    Secrets,
    /// Policy.
    Policy,
}

impl ControlMap {
    /// The map that this version comes with.
    pub fn shipped() -> Result<Self, toml::de::Error> {
        toml::from_str(MAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_whole_and_never_says_compliant() {
        let map = ControlMap::shipped().unwrap();
        assert!(map.controls.len() >= 20, "{}", map.controls.len());
        for control in &map.controls {
            let known = map.frameworks.iter().any(|known| known.id == control.framework);
            assert!(known, "{control:?}");
            assert!(!control.evidence.is_empty(), "{control:?}");
        }
        for framework in &map.frameworks {
            assert!(map.controls.iter().any(|it| it.framework == framework.id), "{framework:?}");
        }
        let said = map.controls.iter().map(|it| format!("{} {}", it.asks, it.why).to_lowercase());
        assert!(
            !said.into_iter().any(|text| text.contains("complian") || text.contains("complies"))
        );
        let mut all: Vec<_> = map.controls.iter().map(|c| (&c.framework, &c.control)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), map.controls.len(), "none is there twice");
    }
}
