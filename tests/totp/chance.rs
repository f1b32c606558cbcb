//! How often the codes of another device pass, beside what is stated.

use keymuster::totp::{Code, Found, Generator, Parameters, Seed, Strength, Window};

use super::{below, is_long, random};

/// A year of 2026, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

fn generator() -> Generator {
    let text = data_encoding::BASE32_NOPAD.encode(&random::<40>());
    let seed = Seed::from_base32(&text, Strength::Rfc4226).unwrap();
    Generator::new(&seed, Parameters::default())
}

fn random_code() -> Code {
    Code::parse(&format!("{:06}", below(1_000_000)), Parameters::default()).unwrap()
}

#[test]
fn a_strangers_codes_pass_as_often_as_is_stated() {
    let (seeds, tries) = if is_long() { (1000, 1000) } else { (200, 500) };
    let (mut one, mut near, mut two) = (0_u32, 0_u32, 0_u32);
    let mut stated = (0.0, 0.0, 0.0);
    for _ in 0..seeds {
        let window = Window::around(&generator(), NOW + below(100_000_000), Window::WIDTH);
        stated = (window.chance_of_one(), window.chance_of_two_near(), window.chance_of_two());
        for _ in 0..tries {
            let (first, second) = (random_code(), random_code());
            one += u32::from(window.find_one(&first) != Found::Nothing);
            match window.find_two(&first, &second) {
                Found::Consecutive(_) => two += 1,
                Found::Apart { .. } => near += 1,
                _ => {}
            }
        }
    }
    let trials = f64::from(seeds * tries);
    println!("Codes of another device that pass, of {trials} trials within a day either way:");
    println!("  {:<28} {:>12} {:>12}", "", "measured", "stated");
    for (what, found, stated) in [
        ("one code", one, stated.0),
        ("two, near each other", near + two, stated.1),
        ("two, one after the other", two, stated.2),
    ] {
        println!("  {what:<28} {:>12.3e} {stated:>12.3e}", f64::from(found) / trials);
    }
    // Five standard deviations: it fails by chance once in a million runs.
    let expected = trials * stated.0;
    let off = (f64::from(one) - expected).abs() / expected.sqrt();
    assert!(off < 5.0, "{one} of one code, where {expected} were expected");
    let rare = trials * stated.1;
    assert!(f64::from(near + two) <= rare + 5.0 * rare.sqrt() + 3.0, "{near} near, {two} in order");
    assert!(two <= 1, "{two} passed as two that follow each other");
}
