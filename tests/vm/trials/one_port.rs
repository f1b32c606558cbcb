//! Two people at a machine with one port, where keys are swapped when the program asks for it:
//! nobody's PIN goes to another's key, whoever is asked can stop, and where nobody could be
//! asked, the error says what to plug in.

use super::circle::{answer, at_terminal, ends, meet, pin_of, succeeds, type_pin};
use super::interruptions::Interruption::{Backslash, Close, CtrlC, CtrlD, Terminate, TwiceCtrlC};
use super::interruptions::{Interruption, Wait, is_long, nothing};
use super::trials;
use crate::keys::{Touch, VirtualKey};
use crate::pseudo_terminal::PseudoTerminal;
use crate::run::keymuster;
use libtest_mimic::Trial;
use std::cell::RefCell;

pub(super) fn trials() -> Vec<Trial> {
    trials!["one_port":
        keys_are_swapped_when_asked_and_each_pin_is_typed_once,
        another_key_of_the_first_signer_is_refused_in_words,
        a_key_is_enrolled_with_three_signers,
        the_first_signers_key_to_be_plugged_in_again,
        without_a_terminal_the_error_says_what_to_plug_in,
    ]
}

const NOW_BOB: &str = "Now bob/primary must sign too. Plug it in and press Enter: ";
const ALICE_AGAIN: &str = "Plug in alice/primary again and press Enter: ";
const BOB_AGAIN: &str = "Plug in bob/primary again and press Enter: ";
/// A change that alice and bob sign, and that opens an epoch.
pub(super) const NEW_READER: &str = "reader add clerk \
     age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj --by alice/primary --by bob";
/// One that opens none.
pub(super) const NEW_POLICY: &str = "policy change --check-days 60 --by alice/primary --by bob";

fn keys_are_swapped_when_asked_and_each_pin_is_typed_once() {
    let mut meeting = meet(&["alice/primary"]);
    let before = meeting.touches();
    let mut terminal = at_terminal(&meeting.line(NEW_READER));
    type_pin(&mut terminal, "alice/primary");
    terminal.until(NOW_BOB);
    meeting.swap("alice/primary", "bob/primary");
    terminal.types("\n");
    terminal.until("bob/primary signs too.");
    terminal.until("clerk may read the log as a reader");
    type_pin(&mut terminal, "bob/primary");
    terminal.until(ALICE_AGAIN);
    assert_eq!(meeting.touches_since(before), [1, 0, 2, 0]);
    meeting.swap("bob/primary", "alice/primary");
    terminal.types("\n");
    let shown = succeeds(terminal);
    assert_eq!(shown.matches("PIN of").count(), 2, "{shown}");
    assert_eq!(meeting.touches_since(before), [2, 0, 2, 0]);
    assert!(shown.contains("signed by alice/primary and bob/primary."), "{shown}");
}

fn another_key_of_the_first_signer_is_refused_in_words() {
    let mut meeting = meet(&["alice/primary"]);
    let before = meeting.touches();
    let (command, vault) = (meeting.line_with_pins(NEW_POLICY), meeting.path("vault").into());
    let [alice, blue, bob, _] = meeting.keys();
    let swapped = RefCell::new((alice, blue));
    let reach = |terminal: &mut PseudoTerminal, _: &VirtualKey| {
        terminal.until(NOW_BOB);
        let (alice, blue) = &mut *swapped.borrow_mut();
        alice.unplug();
        blue.replug();
        terminal.types("\n");
        terminal.until("alice/blue is plugged in, and alice signs already.");
        terminal.until(NOW_BOB);
    };
    let name = "a second signer's key to be plugged in";
    let wait = Wait { name, command, reach: &reach, go_on: &nothing, vault };
    let all: &[Interruption] = &[CtrlC, TwiceCtrlC, Backslash, CtrlD, Terminate, Close];
    let ways = if is_long() { all } else { &[CtrlC] };
    for way in ways {
        {
            let (alice, blue) = &mut *swapped.borrow_mut();
            blue.unplug();
            alice.replug();
        }
        wait.interrupt_by(bob, &[&[*way]]);
    }
    assert_eq!(meeting.touches_since(before), [ways.len(), 0, 0, 0]);
}

/// The new key, its owner's and that of a second custodian, one after the other.
fn a_key_is_enrolled_with_three_signers() {
    let mut meeting = meet(&[]);
    let mut green = VirtualKey::plug("carol-green");
    let pin = meeting.path("carol.primary.pin");
    keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
    green.unplug();
    meeting.key("carol/primary").replug();
    let (before, wrong) = (meeting.touches(), meeting.wrong_pins());
    let enrol = "key enrol green --for carol --by bob";
    let mut terminal = at_terminal(&meeting.line(enrol));
    type_pin(&mut terminal, "carol/primary");

    terminal.until("Plug in the new key, leave the other one in, and press Enter: ");
    meeting.key("carol/primary").unplug();
    green.replug();
    terminal.types("\n");
    terminal.until(NOW_BOB);
    green.unplug();
    meeting.key("bob/primary").replug();
    terminal.types("\n");
    terminal.until("Plug in the new key, carol/green, again and press Enter: ");
    meeting.key("bob/primary").unplug();
    green.replug();
    terminal.types("\n");
    answer(&mut terminal, "PIN of carol/green (8 attempts left): ", pin_of("carol"));
    terminal.until(BOB_AGAIN);
    assert_eq!(green.touches(), 4);
    green.unplug();
    meeting.key("bob/primary").replug();
    terminal.types("\n");
    type_pin(&mut terminal, "bob/primary");
    terminal.until("Plug in carol/primary again and press Enter: ");
    meeting.swap("bob/primary", "carol/primary");
    terminal.types("\n");
    terminal.until("Plug in carol/green again and press Enter: ");
    meeting.key("carol/primary").unplug();
    green.replug();
    terminal.types("\n");
    let shown = succeeds(terminal);
    assert!(shown.contains("signed by carol/green and carol/primary and bob/primary."), "{shown}");
    assert_eq!((meeting.touches_since(before), green.touches()), ([0, 0, 1, 2], 5));
    assert_eq!(meeting.wrong_pins(), wrong);
}

/// The second one has signed by then, and nothing is recorded.
fn the_first_signers_key_to_be_plugged_in_again() {
    let mut meeting = meet(&["alice/primary", "bob/primary"]);
    let (command, vault) = (meeting.line_with_pins(NEW_POLICY), meeting.path("vault").into());
    let [alice, _, bob, _] = meeting.keys();
    let alice = RefCell::new(alice);
    let reach = |terminal: &mut PseudoTerminal, bob: &VirtualKey| {
        bob.wait_until_it_blinks();
        alice.borrow_mut().unplug();
        bob.touch(Touch::Accept);
        terminal.until(ALICE_AGAIN);
    };
    let name = "the first signer's key to be plugged in again";
    let wait = Wait { name, command, reach: &reach, go_on: &nothing, vault };
    let all: &[Interruption] = &[CtrlC, TwiceCtrlC, Backslash, CtrlD, Terminate, Close];
    for way in if is_long() { all } else { &[CtrlC] } {
        bob.touch(Touch::Wait);
        wait.interrupt_by(bob, &[&[*way]]);
        alice.borrow_mut().replug();
    }
}

fn without_a_terminal_the_error_says_what_to_plug_in() {
    let mut meeting = meet(&["alice/primary"]);
    let (files, before) = (meeting.files(), meeting.touches());
    let add = "custodian add dave --key primary --paper-fd 3 3>/dev/null --by alice/primary";
    let policy = "policy change --check-days 60 --by alice/primary";
    let said =
        ["a key of bob or carol must sign too", "hint: plug in a key of bob or carol beside"];
    ends(&meeting.command(policy).run(), 4, &said);
    let said = ["no new security key is plugged in", "hint: plug in the new key beside"];
    ends(&meeting.command(add).run(), 4, &said);
    // Who must sign stands in the log, which opens by a touch: no other was asked for.
    assert_eq!(meeting.touches_since(before), [2, 0, 0, 0]);

    meeting.key("bob/primary").replug();
    meeting.key("bob/primary").touch(Touch::Wait);
    let running = meeting.command(NEW_POLICY).start();
    meeting.key("bob/primary").wait_until_it_blinks();
    meeting.key("alice/primary").unplug();
    meeting.key("bob/primary").touch(Touch::Accept);
    let said = ["alice/primary must sign, and isn't plugged in any more", "hint: leave every key"];
    ends(&running.finish(), 4, &said);
    assert!(meeting.files() == files, "the vault has changed");
}
