//! Times and durations as people read them.

use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;

/// `0.3s`, `43s`, `1m 48s`, `2h 03m`, `3d 04h`.
pub(crate) fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = (duration.as_millis() + 500) / 1000;
    match seconds {
        _ if tenths < 100 => format!("{}.{}s", tenths / 10, tenths % 10),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A running clock: `0:07`, `12:40`, `1:02:03`.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 3_600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// `just now`, `5 minutes ago`, `3 days ago`; a date when it is longer than a month.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    let (count, unit) = match seconds {
        ..10 => return "just now".to_owned(),
        10..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        _ => return then.strftime("%Y-%m-%d").to_string(),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// A moment in this machine's own time zone: `2026-11-22 10:46:37`.
pub(crate) fn moment(then: Timestamp) -> String {
    then.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time between two moments; none when clocks were set back in between.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A command line as it could be typed again: words with blanks or signs in quotes, the program
/// without its folder.
pub(crate) fn command(words: &[String]) -> String {
    let plain = |word: &str| {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+.,:/@%".contains(&byte);
        !word.is_empty() && word.bytes().all(harmless)
    };
    let quoted: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(index, word)| match index {
            0 => word.rsplit('/').next().unwrap_or(word),
            _ => word,
        })
        .map(|word| match plain(word) {
            true => word.to_owned(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        })
        .collect();
    quoted.join(" ")
}

/// `1 cell`, `3 cells`.
pub(crate) fn count<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    format!("{number} {noun}{}", if number == N::from(1) { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_figures_that_matter() {
        let show = |millis| duration(Duration::from_millis(millis));
        for (millis, text) in [
            (4, "0.0s"),
            (340, "0.3s"),
            (9_949, "9.9s"),
            (9_960, "10s"),
            (59_600, "1m 00s"),
            (107_900, "1m 48s"),
            (7_380_000, "2h 03m"),
            (273_600_000, "3d 04h"),
        ] {
            assert_eq!(show(millis), text);
        }
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
    }

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["/usr/bin/wheelmill", "build", "x==1", "--arch", "8.0;9.0", "it's"];
        assert_eq!(
            command(&words.map(str::to_owned)),
            r"wheelmill build x==1 --arch '8.0;9.0' 'it'\''s'"
        );
    }

    #[test]
    fn the_past_is_told_in_its_largest_unit() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let show = |text: &str| ago(text.parse().unwrap(), now);
        assert_eq!(show("2026-11-22T09:59:55Z"), "just now");
        assert_eq!(show("2026-11-22T09:58:59Z"), "1 minute ago");
        assert_eq!(show("2026-11-19T10:00:00Z"), "3 days ago");
        assert_eq!(show("2026-01-02T10:00:00Z"), "2026-01-02");
        // A clock that was set back is no reason for nonsense.
        assert_eq!(show("2026-11-22T11:00:00Z"), "just now");
    }
}
