//! A second signer's key that is hostile, refuses, or goes away: nothing is recorded, the error
//! names the key and says what to do, and the vault takes the honest key's signature afterwards.

use super::circle::{answer, at_terminal, ends, meet, pin_of};
use super::one_port::{NEW_POLICY, NEW_READER};
use super::trials;
use crate::keys::Touch;
use libtest_mimic::Trial;
use std::fs;

pub(super) fn trials() -> Vec<Trial> {
    trials!["second_key":
        an_impostor_is_named_and_gets_no_pin,
        an_impostor_that_shows_itself_when_it_signs_is_named,
        a_key_that_refuses_is_pulled_or_has_another_pin_is_named,
    ]
}

fn an_impostor_is_named_and_gets_no_pin() {
    let mut meeting = meet(&["alice/primary", "bob/primary"]);
    let (files, before) = (meeting.files(), meeting.touches());
    let tokens = meeting.key("bob/primary").pin_tokens();
    meeting.key("bob/primary").turn_hostile("flipped getAssertion");
    let said = ["poses as bob/primary and isn't", "hint: don't type a PIN for it"];
    ends(&meeting.command(NEW_POLICY).run(), 3, &said);
    assert_eq!(meeting.key("bob/primary").pin_tokens(), tokens);
    assert_eq!(meeting.touches_since(before), [1, 0, 0, 0], "alice opened the vault");

    // The real one is plugged in while the first signer's is replaced by an impostor.
    meeting.key("bob/primary").turn_honest();
    meeting.key("bob/primary").touch(Touch::Wait);
    let running = meeting.command(NEW_POLICY).start();
    meeting.key("bob/primary").wait_until_it_blinks();
    meeting.key("alice/primary").turn_hostile("flipped getAssertion");
    meeting.key("bob/primary").touch(Touch::Accept);
    ends(&running.finish(), 3, &["poses as alice/primary and isn't"]);
    assert!(meeting.files() == files, "the vault has changed");
}

fn an_impostor_that_shows_itself_when_it_signs_is_named() {
    let mut meeting = meet(&["alice/primary", "bob/primary"]);
    let files = meeting.files();
    let mut terminal = at_terminal(&meeting.line(NEW_POLICY));
    answer(&mut terminal, "PIN of alice/primary (8 attempts left): ", pin_of("alice"));
    terminal.until("PIN of bob/primary (8 attempts left): ");
    // All that was asked of it without a touch it has answered well.
    meeting.key("bob/primary").turn_hostile("flipped getAssertion");
    terminal.types(&format!("{}\n", pin_of("bob")));
    let (code, shown) = terminal.ends();
    assert_eq!(code, 3, "{shown}");
    for part in ["that of bob/primary", "hint: the key that signed isn't the one that was enrolled"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(meeting.files() == files, "the vault has changed");
}

fn a_key_that_refuses_is_pulled_or_has_another_pin_is_named() {
    let mut meeting = meet(&["alice/primary", "bob/primary"]);
    let files = meeting.files();

    meeting.key("bob/primary").touch(Touch::Deny);
    let said = [
        "error: bob/primary: the security key reported that its user refused",
        "hint: nothing was changed",
    ];
    ends(&meeting.command(NEW_READER).run(), 4, &said);

    meeting.key("bob/primary").touch(Touch::Wait);
    let running = meeting.command(NEW_READER).start();
    meeting.key("bob/primary").wait_until_it_blinks();
    meeting.key("bob/primary").unplug();
    ends(
        &running.finish(),
        4,
        &["error: bob/primary: security key", "isn't plugged in", "hint: plug the key in"],
    );

    meeting.key("bob/primary").touch(Touch::Accept);
    meeting.key("bob/primary").replug();
    let (wrong, tokens) = (meeting.path("wrong.pin"), meeting.key("alice/primary").pin_tokens());
    fs::write(&wrong, "000000\n").expect("a scratch folder");
    let mistyped = format!("{NEW_POLICY} --pin-file bob/primary={wrong}");
    let said = ["error: bob/primary: wrong PIN; 7 attempts left", "hint: mind the attempts left"];
    ends(&meeting.command(&mistyped).run(), 1, &said);
    assert_eq!(meeting.key("alice/primary").pin_tokens(), tokens + 1, "alice doesn't sign in vain");
    assert!(meeting.files() == files, "the vault has changed");

    let done = meeting.command(NEW_POLICY).run().expect_success();
    assert!(done.contains("signed by alice/primary and bob/primary."), "{done}");
}
