//! `keymuster slip countersign`: somebody else signs for a slip, in a slip of their own that goes with
//! it.

use std::collections::BTreeSet;
use std::path::Path;

use super::write::write;
use super::{any_signer, endorsements, in_words, on_trial, read_slips, received, shown};
use crate::cli::context::Context;
use crate::cli::cosigners::{Matter, Signers};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::Answer;
use crate::cli::session::Session;
use crate::log::Rule;
use crate::record::{Event, Handle};
use crate::vault::replace_file;

pub fn run(context: &Context, file: &Path, signers: &Signers) -> Result<Answer, Failure> {
    let bytes = received(file)?;
    let mut session = Session::open_with_key(context, signers.opener(), None)?;
    session.vault.check_log_sound()?;
    let opener = session.opener()?;
    let mut read = read_slips(&session, file, &bytes)?;
    let name = shown(file);
    match on_trial(&session, &read.slips, any_signer(&session), Vec::new())? {
        Ok(_) => {
            let message = format!("{name} has all the signatures that it needs");
            return Err(Failure::new(exit::FAILED, message)
                .hint(format!("keymuster log collect {name} takes it in")));
        }
        Err(fault) if fault.rule == Rule::Authority => {}
        Err(fault) => {
            return Err(Failure::because(exit::NO, format!("{name} can't be collected"), &fault));
        }
    }
    let seals = |event: &Event| matches!(event, Event::CompartmentSealed(_));
    if read.slips.iter().any(|slip| slip.document().events.iter().any(seals)) {
        let message = format!("{name} seals a compartment anew, which can't be looked at here");
        return Err(Failure::new(exit::NO, message).hint(
            "whoever collects it opens what is sealed, as a check: keymuster log collect --endorse",
        ));
    }
    in_words(&read.slips).lines().for_each(|line| context.terminal.say(line));
    let events = endorsements(&read.slips);
    let gathered = session.gather_for_slip(Matter::of(&events), opener, &signers.by)?;
    let signed = read.slips.iter().flat_map(|slip| &slip.document().signers);
    let signed: BTreeSet<&Handle> = signed.map(|key| &key.owner).collect();
    if let Some(again) = gathered.iter().find(|signer| signed.contains(&signer.name.owner)) {
        let message = format!("{} signed {name} already", again.name.owner);
        return Err(Failure::new(exit::FAILED, message)
            .hint("a second signature is another custodian's; --by says whose"));
    }
    let endorsement = session.sign_slip(&gathered, events)?;
    read.slips.push(endorsement);
    write(&session, file, read, |signed| replace_file(file, &bytes, signed))
}
