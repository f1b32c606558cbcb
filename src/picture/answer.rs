//! What the child tells the parent: how it is confined, then the texts, or why there are none.
//!
//! Numbers are big-endian. Confinement: the version of Landlock's interface (4 bytes, 0 for
//! none), whether seccomp is in force (1). Then 0, the number of texts (1), and each text's
//! length (2) and bytes; or the number of a reason (1), with width and height (4 each) where it
//! is [`Unread::TooLarge`].

use zeroize::Zeroizing;

use super::{MAX_CODES, MAX_TEXT, Texts, Unread};
use crate::confinement::Confinement;
use crate::hardening::keep_from_swap;

/// The longest answer, in bytes.
pub(super) const MAX_ANSWER: usize = 16 + MAX_CODES * (MAX_TEXT + 2);

/// Why a picture gave no codes, by number; from 1.
const REASONS: [Unread; 6] = [
    Unread::NoPicture,
    Unread::Damaged,
    Unread::NoCode,
    Unread::Illegible,
    Unread::TooLarge { width: 0, height: 0 },
    Unread::Unconfined,
];

/// Writes an answer. All room is there at once, so that no copy is left behind.
pub(super) fn encode(
    confinement: Confinement,
    found: &Result<Texts, Unread>,
) -> Zeroizing<Vec<u8>> {
    let mut answer = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
    keep_from_swap(answer.spare_capacity_mut());
    answer.extend(confinement.landlock.unwrap_or(0).to_be_bytes());
    answer.push(confinement.seccomp.into());
    match found {
        Ok(texts) => {
            let texts = texts.get(..MAX_CODES).unwrap_or(texts);
            answer.push(0);
            answer.extend(u8::try_from(texts.len()));
            for text in texts {
                let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
                answer.extend(length.to_be_bytes());
                answer.extend_from_slice(text.as_bytes());
            }
        }
        Err(Unread::TooLarge { width, height }) => {
            answer.push(5);
            answer.extend(width.to_be_bytes());
            answer.extend(height.to_be_bytes());
        }
        Err(reason) => {
            let place = REASONS.iter().position(|known| known == reason).unwrap_or(1);
            answer.extend(u8::try_from(place + 1));
        }
    }
    answer
}

/// Reads an answer, whose bytes may be anybody's; `None` if it is none.
pub(super) fn decode(mut answer: &[u8]) -> Option<(Confinement, Result<Texts, Unread>)> {
    let rest = &mut answer;
    let landlock = u32::from_be_bytes(take(rest)?);
    let [seccomp] = take(rest)?;
    let confinement =
        Confinement { landlock: Some(landlock).filter(|v| *v > 0), seccomp: seccomp == 1 };
    let [kind] = take(rest)?;
    let found = match kind {
        0 => {
            let [count] = take(rest)?;
            if usize::from(count) > MAX_CODES {
                return None;
            }
            let texts = (0..count).map(|_| text(rest)).collect::<Option<Texts>>()?;
            Ok(texts)
        }
        5 => {
            let (width, height) =
                (u32::from_be_bytes(take(rest)?), u32::from_be_bytes(take(rest)?));
            Err(Unread::TooLarge { width, height })
        }
        reason => Err(*REASONS.get(usize::from(reason).checked_sub(1)?)?),
    };
    rest.is_empty().then_some((confinement, found))
}

fn text(rest: &mut &[u8]) -> Option<Zeroizing<String>> {
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let (text, left) = rest.split_at_checked(length).filter(|_| length <= MAX_TEXT)?;
    *rest = left;
    let text = Zeroizing::new(std::str::from_utf8(text).ok()?.to_owned());
    keep_from_swap(text.as_str());
    Some(text)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFINED: Confinement = Confinement { landlock: Some(7), seccomp: true };

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let texts = |texts: &[&str]| -> Texts {
            texts.iter().map(|text| Zeroizing::new((*text).to_owned())).collect()
        };
        let long = "x".repeat(MAX_TEXT);
        let answers: [Result<Texts, Unread>; 9] = [
            Ok(texts(&[])),
            Ok(texts(&["otpauth://…", ""])),
            Ok(texts(&[long.as_str(); MAX_CODES])),
            Err(Unread::NoPicture),
            Err(Unread::Damaged),
            Err(Unread::TooLarge { width: 10_000, height: 20_000 }),
            Err(Unread::NoCode),
            Err(Unread::Illegible),
            Err(Unread::Unconfined),
        ];
        for found in answers {
            for confinement in [CONFINED, Confinement::default()] {
                let written = encode(confinement, &found);
                assert!(written.len() <= MAX_ANSWER);
                assert_eq!(decode(&written), Some((confinement, found.clone())));
                // Anything shorter or longer is no answer.
                for cut in 0..written.len().min(200) {
                    assert_eq!(decode(&written[..cut]), None, "{cut}");
                }
                assert_eq!(decode(&[&written[..], &[0]].concat()), None);
            }
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_no_answer() {
        let head = [0, 0, 0, 7, 1];
        let with = |rest: &[u8]| decode(&[&head[..], rest].concat());
        assert!(with(&[0, 0]).is_some());
        assert_eq!(with(&[0, 17]), None, "too many");
        assert_eq!(with(&[0, 1, 0, 1, 0xff]), None, "not UTF-8");
        let long = [&[0, 1, 0x10, 1][..], &[b'x'; 4097]].concat();
        assert_eq!(with(&long), None, "too long");
        assert_eq!(with(&[7]), None, "no reason");
        assert_eq!(with(&[255]), None, "no reason");
    }
}
