//! Drop-ins of the service that replace its whole command, as instructions of 2018 have them: what
//! each part does today, and the `[host]` section that says the same.

mod explain;
mod part;
mod unit;

pub use explain::{Explanation, explain};
pub use part::Part;
