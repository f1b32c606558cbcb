//! What is open between the receipt for it and the step that asks for it.

use crate::record::SecretName;
use crate::vault::SecretValue;

/// What was opened and not used yet, with the entry that has the receipt.
#[derive(Default)]
pub struct Unsealed(Vec<(SecretName, SecretValue, u64)>);

impl Unsealed {
    /// What was opened of this name, which is wiped once it was used.
    pub fn take(&mut self, name: &SecretName) -> Option<(SecretValue, u64)> {
        let place = self.0.iter().position(|(known, ..)| known == name)?;
        let (_, value, receipt) = self.0.remove(place);
        Some((value, receipt))
    }

    /// Keeps what was opened for the steps that ask for it.
    pub fn keep(&mut self, values: Vec<(SecretName, SecretValue)>, receipt: u64) {
        self.0.extend(values.into_iter().map(|(name, value)| (name, value, receipt)));
    }
}
