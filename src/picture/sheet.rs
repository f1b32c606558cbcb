//! A picture that may be looked at only so often.
//!
//! rqrr takes for corners of a code what looks like them, and tries any three of them; for each,
//! it spirals outwards until it meets the rest. That is done soon on most pictures, and takes
//! hours on some noise. So each look is paid for, and who has spent all is stopped.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use image::{GenericImage, GenericImageView, GrayImage, Luma};

/// How often each pixel may be looked at, on average: paper and most noise take less than ten.
const LOOKS: u64 = 32;
/// How many looks there are beyond that: each code takes three million to be measured out.
const MORE_LOOKS: u64 = 32_000_000;
/// How many pixels are copied for the price of a look.
const COPIED: u64 = 8;

/// A picture, and what is left to spend on it and its copies.
pub(super) struct Sheet<'a> {
    picture: GrayImage,
    left: &'a Cell<u64>,
}

/// Does something with a picture, unless that costs too much, or panics: then it is `None`.
pub(super) fn within_budget<T>(picture: GrayImage, work: impl FnOnce(Sheet<'_>) -> T) -> Option<T> {
    let left = Cell::new(LOOKS * picture.len() as u64 + MORE_LOOKS);
    catch_unwind(AssertUnwindSafe(|| work(Sheet { picture, left: &left }))).ok()
}

impl Sheet<'_> {
    fn pay(&self, looks: u64) {
        match self.left.get().checked_sub(looks) {
            Some(left) => self.left.set(left),
            // The only way out of rqrr. It calls no panic hook.
            None => resume_unwind(Box::new(())),
        }
    }
}

impl Clone for Sheet<'_> {
    /// rqrr tries each three corners on a copy.
    fn clone(&self) -> Self {
        self.pay(self.picture.len() as u64 / COPIED);
        Self { picture: self.picture.clone(), left: self.left }
    }
}

impl GenericImageView for Sheet<'_> {
    type Pixel = Luma<u8>;

    /// Asked before each look, and for those that would be outside.
    fn dimensions(&self) -> (u32, u32) {
        self.pay(1);
        self.picture.dimensions()
    }

    fn get_pixel(&self, x: u32, y: u32) -> Luma<u8> {
        self.pay(1);
        *self.picture.get_pixel(x, y)
    }
}

impl GenericImage for Sheet<'_> {
    fn get_pixel_mut(&mut self, x: u32, y: u32) -> &mut Luma<u8> {
        self.picture.get_pixel_mut(x, y)
    }

    fn put_pixel(&mut self, x: u32, y: u32, pixel: Luma<u8>) {
        self.picture.put_pixel(x, y, pixel);
    }

    fn blend_pixel(&mut self, x: u32, y: u32, pixel: Luma<u8>) {
        self.picture.put_pixel(x, y, pixel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_ever_is_stopped() {
        let picture = || GrayImage::new(100, 80);
        let looks = Cell::new(0_u64);
        let looked = within_budget(picture(), |sheet| {
            loop {
                sheet.get_pixel(99, 79);
                looks.set(looks.get() + 1);
            }
        });
        assert_eq!(looked, None::<()>);
        assert_eq!(looks.get(), LOOKS * 8000 + MORE_LOOKS);
        // Nor outside, nor on copies.
        let measured = within_budget(picture(), |sheet| while sheet.width() > 0 {});
        assert_eq!(measured, None);
        let copied = within_budget(picture(), |sheet| {
            loop {
                drop(sheet.clone());
            }
        });
        assert_eq!(copied, None::<()>);
        let shared = within_budget(picture(), |sheet| {
            for _ in 0..2 {
                let copy = sheet.clone();
                for _ in 0..(LOOKS * 8000 + MORE_LOOKS) / 2 {
                    copy.get_pixel(0, 0);
                }
            }
        });
        assert_eq!(shared, None);
    }

    #[test]
    fn who_looks_a_little_or_panics_is_heard_out() {
        let picture = GrayImage::from_pixel(10, 10, Luma([7]));
        assert_eq!(within_budget(picture.clone(), |sheet| sheet.get_pixel(9, 9)), Some(Luma([7])));
        let panicked = within_budget(picture, |sheet| {
            if sheet.width() == 10 {
                resume_unwind(Box::new("a panic of rqrr's"));
            }
        });
        assert_eq!(panicked, None);
    }
}
