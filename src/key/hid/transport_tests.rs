use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::*;

const OURS: [u8; 4] = [0, 0, 0, 7];

/// A key that says what it was told to say once it is asked.
#[derive(Default)]
struct Script {
    before: RefCell<VecDeque<Vec<u8>>>,
    answers: RefCell<VecDeque<Vec<u8>>>,
    asked: Cell<bool>,
    written: RefCell<Vec<[u8; 65]>>,
}

impl Port for &Script {
    fn write(&self, report: &[u8; 65]) -> Option<()> {
        self.asked.set(true);
        self.written.borrow_mut().push(*report);
        Some(())
    }

    fn read(&self, report: &mut [u8; 64], _: i32) -> Option<usize> {
        let queue = if self.asked.get() { &self.answers } else { &self.before };
        match queue.borrow_mut().pop_front() {
            Some(bytes) => {
                report[..bytes.len()].copy_from_slice(&bytes);
                Some(bytes.len())
            }
            // Nothing more ever comes: as a device that is pulled out.
            None => (!self.asked.get()).then_some(0),
        }
    }
}

fn packet(channel: [u8; 4], rest: &[u8]) -> Vec<u8> {
    let mut packet = [&channel[..], rest].concat();
    packet.resize(64, 0);
    packet
}

fn told() -> (Session, Arc<Mutex<Vec<bool>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let touch = Arc::new(move |waits| tell.lock().unwrap().push(waits));
    (Session { cancel: Arc::new(AtomicBool::new(false)), touch }, told)
}

fn call(answers: &[Vec<u8>]) -> (Result<Vec<u8>, Fault>, Vec<bool>) {
    let script =
        Script { answers: RefCell::new(answers.iter().cloned().collect()), ..Script::default() };
    let (session, told) = told();
    let outcome = Channel::new(&script, OURS, session).call(&[4]);
    let told = told.lock().unwrap().clone();
    (outcome, told)
}

#[test]
fn an_answer_of_many_packets_is_put_together() {
    let message: Vec<u8> = (0..200).collect();
    let answers: Vec<Vec<u8>> =
        packet::of_message(OURS, &message).iter().map(|report| report[1..].to_vec()).collect();
    assert_eq!(call(&answers).0, Ok(message[1..].to_vec()));
}

#[test]
fn a_wait_for_a_touch_is_told_once_and_its_end_too() {
    let wait = packet(OURS, &[0xbb, 0, 1, 2]);
    let work = packet(OURS, &[0xbb, 0, 1, 1]);
    let done = packet(OURS, &[0x90, 0, 2, 0, 9]);
    let (outcome, told) = call(&[work.clone(), wait.clone(), wait.clone(), done.clone()]);
    assert_eq!((outcome, told), (Ok(vec![9]), vec![true, false]));
    let (outcome, told) = call(&[wait.clone(), work, done.clone()]);
    assert_eq!((outcome, told), (Ok(vec![9]), vec![true, false]));
    let (outcome, told) = call(&[wait]);
    assert_eq!((outcome, told), (Err(Fault::Lost), vec![true, false]));
    assert_eq!(call(&[done]), (Ok(vec![9]), vec![]));
}

#[test]
fn what_other_programs_are_told_is_passed_over() {
    let stranger = [0, 0, 0, 8];
    let answers = [
        packet(stranger, &[0xbb, 0, 1, 2]),
        packet(stranger, &[0x90, 0, 2, 0, 1]),
        packet(OURS, &[0x90, 0, 60, 0]),
        packet(stranger, &[0, 1, 1]),
        packet([0xff; 4], &[0x86, 0, 17]),
        packet(OURS, &[0, 5, 5]),
    ];
    let (outcome, told) = call(&answers);
    assert_eq!(outcome.map(|answer| answer.len()), Ok(59));
    assert!(told.is_empty());
}

#[test]
fn what_was_said_before_the_question_is_no_answer() {
    let script = Script::default();
    script.before.borrow_mut().push_back(packet(OURS, &[0x90, 0, 2, 0, 1]));
    script.answers.borrow_mut().push_back(packet(OURS, &[0x90, 0, 2, 0, 2]));
    assert_eq!(Channel::new(&script, OURS, told().0).call(&[4]), Ok(vec![2]));
}

#[test]
fn packets_out_of_order_or_out_of_place_are_garbled() {
    let begin = packet(OURS, &[0x90, 0, 200, 0]);
    for answers in [
        vec![begin.clone(), packet(OURS, &[1])],
        vec![begin.clone(), packet(OURS, &[0]), packet(OURS, &[0])],
        vec![begin.clone(), begin.clone()],
        vec![begin, packet(OURS, &[0xbb, 0, 1, 2])],
        vec![packet(OURS, &[0])],
        vec![packet(OURS, &[0x90, 0xff, 0xff, 0])],
        vec![packet(OURS, &[0x81, 0, 0])],
        vec![packet(OURS, &[0xbf, 0, 1, 0])],
        vec![packet(OURS, &[0x90, 0, 0])],
    ] {
        assert_eq!(call(&answers).0, Err(Fault::Garbled), "{answers:?}");
    }
}

#[test]
fn a_status_is_told_as_it_is() {
    assert_eq!(call(&[packet(OURS, &[0x90, 0, 1, 0x2e])]).0, Err(Fault::Status(0x2e)));
    assert_eq!(call(&[packet(OURS, &[0xbf, 0, 1, 6])]).0, Err(Fault::Status(6)));
    assert_eq!(call(&[]).0, Err(Fault::Lost));
}

#[test]
fn a_cancellation_is_written_while_the_key_waits() {
    let script = Script::default();
    let wait = packet(OURS, &[0xbb, 0, 1, 2]);
    let cancelled = packet(OURS, &[0x90, 0, 1, 0x2d]);
    script.answers.borrow_mut().extend([wait, cancelled]);
    let (session, _) = told();
    session.cancel.store(true, Ordering::Relaxed);
    assert_eq!(Channel::new(&script, OURS, session).call(&[4]), Err(Fault::Status(0x2d)));
    assert_eq!(script.written.borrow().last(), Some(&packet::cancel(OURS)));
}
