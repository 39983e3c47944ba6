//! What a user is told in the build's own output.

use wheelmill_model::ByteSize;

use crate::policy::Failure;

/// Says why a compile cannot be built here, and what to do.
pub(super) fn explain(source: &str, failure: Failure) -> String {
    match failure {
        Failure::TooLarge { peak, budget } => {
            let peak = ByteSize(peak);
            let had = budget.map_or_else(String::new, |budget| {
                format!(" Compilers could have {} here.", ByteSize(budget))
            });
            format!(
                "wheelmill: {source} needs more memory than there is: the kernel killed its \
                 compiler at {peak}, with nothing beside it.{had} Give the build more memory, or \
                 build for fewer GPU architectures.\n"
            )
        }
        Failure::NotRepeatable { peak } => format!(
            "wheelmill: the kernel killed the compiler of {source} for memory, at {}. It reads or \
             writes a stream, so it cannot be run again by itself: start the build again, with \
             fewer jobs or more memory.\n",
            ByteSize(peak)
        ),
    }
}
