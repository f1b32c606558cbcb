//! What is due, and what became of all that ever was, against a model that goes day by day.

mod laws;
mod model;
mod work;
mod year;
