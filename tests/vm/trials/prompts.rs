//! What people are asked on the terminal, and when: PINs that stay hidden, the attempts left
//! before they are spent, touches while the key waits and no longer. Where nobody can be
//! asked, the error names the flag that answers.

use super::office::{PIN, pin_file, visit};
use super::trials;
use crate::keys::{Make, Touch, VirtualKey};
use crate::machine::KEYMUSTER;
use crate::pseudo_terminal::CTRL_C;
use crate::run::{keymuster, on_terminal, program, scratch, terminal_with, wait_until};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

pub(super) fn trials() -> Vec<Trial> {
    trials!["prompts":
        a_factory_new_key_gets_its_pin_on_the_terminal,
        two_new_pins_that_differ_set_none,
        a_pin_is_hidden_again_after_a_stop_that_no_program_can_take,
        each_command_asks_for_a_pin_once,
        a_wrong_pin_is_told_and_the_attempts_left_before_the_next,
        the_last_attempt_is_spent_after_the_typed_words_only,
        the_touch_prompt_stands_while_the_key_waits_and_counts_down,
        a_key_that_computes_is_no_key_that_waits,
        every_prompt_is_on_the_terminal_wherever_the_rest_goes,
        without_a_terminal_each_error_names_the_flag_that_answers,
    ]
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("the answer is JSON")
}

fn a_factory_new_key_gets_its_pin_on_the_terminal() {
    let key = VirtualKey::plug("new");
    let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
    assert_eq!(info["pin"], "not set");
    assert_eq!(info["pin_retries"], Value::Null);
    let said = on_terminal(&format!("{KEYMUSTER} key pin set"))
        .answer("New PIN", "271828")
        .answer("The same again", "271828")
        .run()
        .expect_success();
    assert!(said.contains("Set the PIN of"), "{said}");
    assert!(!said.contains("271828"), "a PIN is not shown while it is typed: {said}");
    let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
    assert_eq!(info["pin"], "set");
    assert_eq!(info["pin_retries"], 8);
    assert_eq!(info["path"], key.device());
    assert_eq!(key.touches(), 0);
}

fn a_pin_is_hidden_again_after_a_stop_that_no_program_can_take() {
    let _key = VirtualKey::plug("new");
    let mut terminal = terminal_with(&format!("exec {KEYMUSTER} key pin set"));
    terminal.until("at least 4 characters: ");
    terminal.signal(Signal::STOP);
    terminal.echo();
    terminal.signal(Signal::CONT);
    terminal.until("at least 4 characters: ");
    assert!(!terminal.echoes());
    terminal.types("271828\n");
    terminal.until("The same again");
    terminal.until(": ");
    terminal.types("271828\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("271828"), "{shown}");
}

fn two_new_pins_that_differ_set_none() {
    let _key = VirtualKey::plug("new");
    let outcome = on_terminal(&format!("{KEYMUSTER} key pin set"))
        .answer("New PIN", "271828")
        .answer("The same again", "271829")
        .run();
    assert_eq!(outcome.code(), Some(1), "{outcome:#?}");
    assert!(outcome.stdout.contains("the two PINs differ"), "{outcome:#?}");
    let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
    assert_eq!(info["pin"], "not set");
}

fn each_command_asks_for_a_pin_once() {
    let office = visit(true, false);
    let vault = office.path("vault");
    // Unlocking and signing are two requests to the key; alice is asked once.
    let said = on_terminal(&format!("{KEYMUSTER} key check --vault {vault}"))
        .answer("PIN of alice/primary (8 attempts left): ", PIN)
        .run()
        .expect_success();
    assert_eq!(said.matches("PIN of").count(), 1, "{said}");
    assert!(said.contains("Touch alice/primary to open the vault"), "{said}");
    assert!(said.contains("Touch alice/primary to sign entry"), "{said}");
    assert!(!said.contains(PIN), "{said}");
}

fn a_wrong_pin_is_told_and_the_attempts_left_before_the_next() {
    let office = visit(true, false);
    let (entries, touches) = (office.entries(), office.primary.touches());
    let outcome = on_terminal(&office.command_line("key check"))
        .answer("PIN of alice/primary (8 attempts left): ", "000000")
        .run();
    assert_eq!(outcome.code(), Some(1), "{outcome:#?}");
    assert!(outcome.stdout.contains("wrong PIN; 7 attempts left"), "{outcome:#?}");
    let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
    assert_eq!(info["pin_retries"], 7);
    assert_eq!((office.entries(), office.primary.touches()), (entries, touches));
    // The right one brings all attempts back.
    on_terminal(&office.command_line("key check"))
        .answer("PIN of alice/primary (7 attempts left): ", PIN)
        .run()
        .expect_success();
    let info = json(&keymuster(&["key", "info", "--json"]).run().expect_success());
    assert_eq!(info["pin_retries"], 8);
}

fn the_last_attempt_is_spent_after_the_typed_words_only() {
    let folder = scratch();
    let key = VirtualKey::plug_made("primary", Make::with(&["--pin-retries", "1"]));
    let pin = pin_file(&folder, PIN);
    keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
    let init = format!(
        "cd {} && exec {KEYMUSTER} vault init v --name Corp --custodian alice --key primary \
         --paper-fd 3 3>/dev/null",
        folder.display()
    );
    let guard = "alice/primary has ONE PIN attempt left; a wrong PIN locks it for good.\r\n\
                 Type \"last attempt\" to go on: ";
    for wrong in ["", "yes", "last", PIN] {
        let outcome = on_terminal(&init).answer(guard, wrong).run();
        assert_eq!(outcome.code(), Some(4), "{outcome:#?}");
        assert!(outcome.stdout.contains("was not spent"), "{outcome:#?}");
        assert_eq!((key.pin_tokens(), key.touches_asked()), (0, 0), "{wrong:?} spends nothing");
    }
    key.touch(Touch::Deny);
    let outcome = on_terminal(&init)
        .answer(guard, "last attempt")
        .answer("PIN of alice/primary (1 attempt left): ", PIN)
        .run();
    assert!(outcome.stdout.contains("its user refused"), "{outcome:#?}");
    assert_eq!(key.pin_tokens(), 1);
}

/// The numbers of seconds that a touch prompt has shown, in order.
fn countdown(shown: &str, prompt: &str) -> Vec<u64> {
    let prompts = shown.split(prompt).skip(1);
    prompts.filter_map(|rest| rest.strip_prefix(" (")?.split(' ').next()?.parse().ok()).collect()
}

fn the_touch_prompt_stands_while_the_key_waits_and_counts_down() {
    let office = visit(true, false);
    office.primary.touch(Touch::Wait);
    let mut terminal = terminal_with(&format!("exec {}", office.command_line("key check")));
    terminal.until("PIN of alice/primary (8 attempts left): ");
    assert!(!terminal.shown().contains("Touch"), "no touch is asked for before the key waits");
    terminal.types(&format!("{PIN}\n"));
    let prompt = "Touch alice/primary to sign entry";
    terminal.until(prompt);
    assert!(office.primary.blinks(), "the key waits already");
    let left = |shown: &str| {
        // The entry's number stands between the words and the seconds.
        let (_, after) = shown.split_once(prompt).expect("the prompt was shown");
        let number = after.split(" (").next().unwrap_or_default();
        countdown(shown, &format!("{prompt}{number}"))
    };
    terminal.wait("three times were shown", |this| left(&this.shown()).len() >= 3);
    let times = left(&terminal.shown());
    assert!(times[0] <= 30 && times.windows(2).all(|pair| pair[0] > pair[1]), "{times:?}");
    office.primary.touch(Touch::Accept);
    let (code, shown) = terminal.ends();
    assert_eq!(code, 0, "{shown}");
    let (_, after) = shown.rsplit_once(prompt).expect("the prompt was shown");
    // Wiped, and not shown again.
    assert!(after.contains("\r\u{1b}[K"), "{after:?}");
    assert!(!shown.contains(PIN), "{shown}");
}

fn a_key_that_computes_is_no_key_that_waits() {
    let folder = scratch();
    let pin = pin_file(&folder, PIN);
    let init = format!(
        "cd {} && exec {KEYMUSTER} vault init v --name x --custodian a --key k --pin-file {pin} \
         --paper-fd 3 3>/dev/null",
        folder.display()
    );
    // One says for ever that it computes, the other that it waits.
    for (kind, prompted) in [("endless-keepalives", false), ("endless-blinking", true)] {
        let key = VirtualKey::plug("key");
        keymuster(&["key", "pin", "set", "--pin-file", &pin]).run().expect_success();
        key.turn_hostile(&format!("{kind} makeCredential"));
        let mut terminal = terminal_with(&init);
        wait_until("the key was asked", || !key.events("hostile").is_empty());
        // Long enough for a prompt that would come.
        sleep(Duration::from_secs(2));
        terminal.types(CTRL_C);
        assert_eq!(terminal.wait_for_end().code(), Some(130));
        assert_eq!(terminal.shown().contains("Touch"), prompted, "{kind}: {}", terminal.shown());
    }
}

fn every_prompt_is_on_the_terminal_wherever_the_rest_goes() {
    let office = visit(true, false);
    let folder = scratch();
    let (answer, talk) = (folder.join("answer"), folder.join("talk"));
    let redirected = format!(
        "XDG_STATE_HOME={} {} > {} 2> {}",
        folder.join("state").display(),
        office.command_line("key check"),
        answer.display(),
        talk.display()
    );
    let shown = on_terminal(&redirected)
        .answer("Is it the same (yes, no, or paste theirs)? ", "yes")
        .answer("PIN of alice/primary (8 attempts left): ", PIN)
        .run()
        .expect_success();
    assert!(shown.contains("Touch alice/primary to sign entry"), "{shown}");
    assert!(!shown.contains(PIN) && !shown.contains("This is"), "{shown}");
    let answer = std::fs::read_to_string(answer).expect("there is an answer");
    assert!(answer.starts_with("This is alice/primary"), "{answer}");
    let talk = std::fs::read_to_string(talk).expect("there is a conversation");
    for prompt in ["PIN of", "Touch", "Is it the same"] {
        assert!(!answer.contains(prompt) && !talk.contains(prompt), "{prompt}: {answer}{talk}");
    }
}

fn without_a_terminal_each_error_names_the_flag_that_answers() {
    let office = visit(true, false);
    let (vault, reader) = (office.path("vault"), office.path("reader.identity"));
    let folder = scratch();
    let pin = pin_file(&folder, PIN);
    let last = VirtualKey::plug_made("last", Make::with(&["--pin-retries", "1"]));
    let blank = VirtualKey::plug("blank");
    let (primary, last, blank) = (office.primary.device(), last.device(), blank.device());
    let set = ["key", "pin", "set", "--pin-file", &pin, "--device", last];
    keymuster(&set).run().expect_success();
    let check = format!("key check --vault {vault} --identity {reader} --device {primary}");
    let init = format!("vault init {}/v --name x --custodian a --key k", folder.display());
    for (command, flags) in [
        (check.clone(), &["--pin-file FILE", "--pin-fd N"][..]),
        (format!("key pin set --device {blank}"), &["--pin-file FILE", "--pin-fd N"]),
        (format!("{init} --paper-fd 2 --device {last} --pin-file {pin}"), &["--last-attempt"]),
        (format!("{init} --device {last} --pin-file {pin}"), &["--paper-fd N"]),
        (format!("{init} --paper-fd 2 --device {blank}"), &["keymuster key pin set"]),
        (format!("env {check}"), &["--fingerprint HEX"]),
    ] {
        // A machine that never met the vault, where the command says so.
        let (state, command) = match command.strip_prefix("env ") {
            Some(command) => (folder.join("state").display().to_string(), command.to_owned()),
            None => ("$HOME/.local/state".to_owned(), command),
        };
        let script = format!("XDG_STATE_HOME={state} exec setsid --wait {KEYMUSTER} {command} <&-");
        let outcome = program("sh", &["-c", &script]).run();
        assert_eq!(outcome.code(), Some(4), "{command}: {outcome:#?}");
        for flag in flags {
            assert!(outcome.stderr.contains(flag), "{flag}, {command}: {outcome:#?}");
        }
    }
    assert!(!folder.join("v").exists());
}
