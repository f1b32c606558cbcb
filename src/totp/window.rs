//! Which steps do these codes belong to? A token that has lain in a safe for years is off by
//! minutes or hours; and the more steps are searched, the more likely is a match by chance.

use zeroize::Zeroizing;

use super::code::{Code, Generator, Parameters};

/// The codes of all steps around a moment.
pub struct Window {
    parameters: Parameters,
    /// The step of the moment.
    now: u64,
    /// Each code with its step, in order.
    codes: Zeroizing<Vec<(u32, u64)>>,
}

/// What was found of the codes that a device showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// None of them belongs to a step of the window.
    Nothing,
    /// The one code that was given belongs to this step.
    Alone(u64),
    /// Two codes belong to this step and to the next.
    Consecutive(u64),
    /// Two codes belong to these steps, which are near each other but don't follow.
    Apart {
        /// The step of the code that was given first.
        first: u64,
        /// That of the second.
        second: u64,
    },
    /// Of two codes, the first alone belongs to a step: this one.
    FirstOnly(u64),
    /// Of two codes, the second alone does.
    SecondOnly(u64),
}

impl Found {
    /// The step of the code that was given last, if both (or the one) were found.
    pub fn last_step(self) -> Option<u64> {
        match self {
            Self::Alone(step) => Some(step),
            Self::Consecutive(first) => first.checked_add(1),
            Self::Apart { second, .. } => Some(second),
            Self::Nothing | Self::FirstOnly(_) | Self::SecondOnly(_) => None,
        }
    }
}

impl Window {
    /// How far a device's clock may be off, either way, in seconds: a day. That is a cheap
    /// quartz (100 ppm) after 27 years.
    pub const WIDTH: u64 = 86_400;
    /// How many steps may lie between two codes that don't follow each other.
    pub const NEAR: u64 = 20;

    /// The codes of all steps that are at most `width` seconds off a moment, which is given in
    /// seconds since 1970.
    pub fn around(generator: &Generator, moment: u64, width: u64) -> Self {
        let parameters = generator.parameters();
        let now = parameters.step_at(moment);
        let steps = width.div_ceil(parameters.period());
        let around = now.saturating_sub(steps)..=now.saturating_add(steps);
        let codes = around.map(|step| (generator.code(step).value(), step));
        let mut codes: Zeroizing<Vec<(u32, u64)>> = Zeroizing::new(codes.collect());
        codes.sort_unstable();
        Self { parameters, now, codes }
    }

    /// How many steps are searched.
    pub fn steps(&self) -> u64 {
        self.codes.len() as u64
    }

    /// How far a step is off the moment: positive where the device is ahead.
    pub fn drift(&self, step: u64) -> i64 {
        // A window is far smaller than either.
        i64::try_from(i128::from(step) - i128::from(self.now)).unwrap_or(i64::MAX)
    }

    /// How likely some code of another device would be found, between 0 and 1.
    pub fn chance_of_one(&self) -> f64 {
        by_chance(self.steps(), self.parameters.digits().into())
    }

    /// How likely two codes of another device would be found to be consecutive.
    pub fn chance_of_two(&self) -> f64 {
        by_chance(self.steps(), 2 * i32::from(self.parameters.digits()))
    }

    /// How likely two codes of another device would be found near each other.
    pub fn chance_of_two_near(&self) -> f64 {
        let pairs = self.steps().saturating_mul(2 * Self::NEAR + 1);
        by_chance(pairs, 2 * i32::from(self.parameters.digits()))
    }

    /// Searches the step of one code: the nearest.
    pub fn find_one(&self, code: &Code) -> Found {
        self.nearest(code).map_or(Found::Nothing, Found::Alone)
    }

    /// Searches the steps of two codes, given in the order in which the device showed them.
    pub fn find_two(&self, first: &Code, second: &Code) -> Found {
        let pairs = || {
            let with = move |step: u64| self.steps_of(second).map(move |other| (step, other));
            self.steps_of(first).flat_map(with)
        };
        let consecutive = pairs().filter(|(one, other)| one.checked_add(1) == Some(*other));
        if let Some((step, _)) = consecutive.min_by_key(|(step, _)| self.distance(*step)) {
            return Found::Consecutive(step);
        }
        let near = pairs().filter(|(one, other)| one.abs_diff(*other) <= Self::NEAR);
        let by_distance = |(one, other): &(u64, u64)| (one.abs_diff(*other), self.distance(*one));
        if let Some((first, second)) = near.min_by_key(by_distance) {
            return Found::Apart { first, second };
        }
        match (self.nearest(first), self.nearest(second)) {
            (Some(step), None) => Found::FirstOnly(step),
            (None, Some(step)) => Found::SecondOnly(step),
            // Far apart, both are likelier to be there by chance.
            _ => Found::Nothing,
        }
    }

    fn nearest(&self, code: &Code) -> Option<u64> {
        self.steps_of(code).min_by_key(|step| self.distance(*step))
    }

    fn distance(&self, step: u64) -> u64 {
        step.abs_diff(self.now)
    }

    /// The steps that a code belongs to: few, since codes are many.
    fn steps_of(&self, code: &Code) -> impl Iterator<Item = u64> {
        let (value, fits) = (code.value(), code.digits() == self.parameters.digits());
        let from = self.codes.partition_point(|(known, _)| *known < value);
        let rest = self.codes.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(known, _)| fits && *known == value).map(|(_, step)| *step)
    }
}

/// How likely one of so many tries hits a number of so many digits.
fn by_chance(tries: u64, digits: i32) -> f64 {
    let miss = -(10_f64.powi(-digits));
    -f64::exp_m1(tries as f64 * f64::ln_1p(miss))
}

#[cfg(test)]
mod tests {
    use super::super::{Seed, Strength};
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn generator() -> Generator {
        let seed = Seed::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Strength::Rfc4226);
        Generator::new(&seed.unwrap(), Parameters::default())
    }

    fn window() -> Window {
        Window::around(&generator(), NOW, Window::WIDTH)
    }

    #[test]
    fn two_codes_of_a_device_that_is_off_are_found() {
        let (generator, window) = (generator(), window());
        let now = generator.parameters().step_at(NOW);
        assert_eq!(window.steps(), 5761);
        for drift in (-8..=8).chain([-2880, -2879, -1234, 1999, 2879]) {
            let step = now.checked_add_signed(drift).unwrap();
            let found = window.find_two(&generator.code(step), &generator.code(step + 1));
            assert_eq!(found, Found::Consecutive(step));
            assert_eq!(window.drift(found.last_step().unwrap()), drift + 1);
        }
        for outside in [-2881, 2880, 5000] {
            let step = now.checked_add_signed(outside).unwrap();
            let found = window.find_two(&generator.code(step), &generator.code(step + 1));
            assert!(!matches!(found, Found::Consecutive(_)), "{outside}");
        }
    }

    #[test]
    fn one_code_is_found_at_the_nearest_step() {
        let (generator, window) = (generator(), window());
        let now = generator.parameters().step_at(NOW);
        for drift in [-3, 0, 3] {
            let step = now.checked_add_signed(drift).unwrap();
            assert_eq!(window.find_one(&generator.code(step)), Found::Alone(step));
        }
    }

    #[test]
    fn codes_that_do_not_follow_each_other_are_told_apart() {
        let (generator, window) = (generator(), window());
        let now = generator.parameters().step_at(NOW);
        let [a, b] = [now, now + 1].map(|step| generator.code(step));
        assert_eq!(window.find_two(&a, &a), Found::Apart { first: now, second: now });
        assert_eq!(window.find_two(&b, &a), Found::Apart { first: now + 1, second: now });
        let later = generator.code(now + Window::NEAR);
        let apart = Found::Apart { first: now, second: now + Window::NEAR };
        assert_eq!(window.find_two(&a, &later), apart);
        let far = generator.code(now + Window::NEAR + 1);
        assert_eq!(window.find_two(&a, &far), Found::Nothing);
        let strange =
            (0..).map(|n| Code::parse(&format!("{n:06}"), Parameters::default()).unwrap());
        let strange =
            strange.into_iter().find(|code| window.find_one(code) == Found::Nothing).unwrap();
        assert_eq!(window.find_two(&a, &strange), Found::FirstOnly(now));
        assert_eq!(window.find_two(&strange, &b), Found::SecondOnly(now + 1));
        assert_eq!(window.find_two(&strange, &strange), Found::Nothing);
    }

    #[test]
    fn a_window_at_either_end_of_time_holds_what_there_is() {
        let generator = generator();
        let window = Window::around(&generator, 0, 60);
        assert_eq!(window.steps(), 3);
        assert_eq!(window.find_two(&generator.code(0), &generator.code(1)), Found::Consecutive(0));
        let window = Window::around(&generator, u64::MAX, 60);
        let last = u64::MAX / 30;
        assert_eq!(window.find_one(&generator.code(last)), Found::Alone(last));
    }

    #[test]
    fn the_chance_of_a_false_match_is_that_of_so_many_tries() {
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.01;
        assert!(near(window().chance_of_one(), 0.005_744));
        assert!(near(window().chance_of_two(), 5.761e-9));
    }
}
