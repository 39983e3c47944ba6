//! A build may do anything to the server's socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use proptest::prelude::*;
use wheelmill_gate::protocol::{Ask, CacheUse, Ending, Language, Reply, Request, body_length};
use wheelmill_gate::{Learned, ServerSettings};

use crate::setup::{Serving, Setup};

fn ask(source: &str) -> Request {
    Request::Ask(Ask {
        language: Language::C,
        threads: u16::MAX,
        fewer_threads: false,
        repeatable: true,
        input_bytes: u64::MAX,
        flags: u128::MAX,
        compiler: "gcc".to_owned(),
        source: source.to_owned(),
    })
}

/// Reads until the server closes the connection.
fn is_closed(mut stream: &UnixStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut rest = Vec::new();
    // A reset is a close, too.
    stream
        .read_to_end(&mut rest)
        .map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |_| true)
}

#[test]
fn nonsense_closes_the_connection_and_nothing_else() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo built");
    let serving = Serving::start(ServerSettings::with_cpus(1), Learned::default());
    let cell = serving.open(&setup);
    let connect = || UnixStream::connect(cell.socket()).unwrap();
    let ending =
        Ending { status: -1, cpu_microseconds: u64::MAX, largest_process: u64::MAX, cache: None };
    let bodies: Vec<Vec<u8>> = vec![
        vec![0; 4],
        vec![0xff; 4],
        [1_000_000_u32.to_le_bytes().as_slice(), &[7; 100]].concat(),
        vec![1, 0, 0, 0, 99],
        Request::Finished(ending).encode(),
        Request::Stopped(ending).encode(),
        [ask("a.c").encode(), ask("a.c").encode()].concat(),
        [ask("a.c").encode(), Request::Stopped(ending).encode()].concat(),
        vec![0xaa; 1 << 20],
    ];
    for body in bodies {
        let mut stream = connect();
        // It may be closed before all is written.
        drop(stream.write_all(&body));
        assert!(is_closed(&stream));
    }
    // A whole life of lies.
    let mut stream = connect();
    stream.write_all(&ask("\u{1b}[31m").encode()).unwrap();
    assert!(!serving.wait_for_start().contains('\u{1b}'));
    stream.write_all(&Request::Finished(ending).encode()).unwrap();
    assert!(is_closed(&stream));
    let output = setup.call("gcc", &["-c", "a.c"]).output().unwrap();
    assert_eq!(output.stdout, b"built\n");
}

#[test]
fn more_calls_than_the_server_takes_run_at_once() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo built");
    let settings = ServerSettings { most_connections: 8, ..ServerSettings::with_cpus(1) };
    let serving = Serving::start(settings, Learned::default());
    let cell = serving.open(&setup);
    let idle: Vec<UnixStream> = (0..8)
        .map(|index| {
            let mut stream = UnixStream::connect(cell.socket()).unwrap();
            stream.write_all(&ask(&format!("{index}.c")).encode()).unwrap();
            stream
        })
        .collect();
    serving.wait_for_start();
    // All places are taken, and the only processor.
    let output = setup.call("gcc", &["-c", "a.c"]).output().unwrap();
    assert_eq!(output.stdout, b"built\n");
    drop(idle);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn messages_come_back_as_they_were_sent(
        source in ".{0,200}",
        threads in any::<u16>(),
        flags in any::<u128>(),
        numbers in any::<(i32, u64, u64)>(),
        cache in prop::option::of(prop::sample::select(&CacheUse::ALL)),
    ) {
        let Request::Ask(asked) = ask(&source) else { unreachable!() };
        let (status, cpu_microseconds, largest_process) = numbers;
        let ending = Ending { status, cpu_microseconds, largest_process, cache };
        for request in [
            Request::Ask(Ask { threads, flags, ..asked }),
            Request::Finished(ending),
            Request::Stopped(ending),
        ] {
            let frame = request.encode();
            prop_assert_eq!(body_length(&frame), Ok(Some(frame.len() - 4)));
            prop_assert_eq!(Request::decode(&frame[4..]), Ok(request));
        }
        for reply in [Reply::Wait, Reply::Go { threads }, Reply::Stop, Reply::Done, Reply::Again,
            Reply::Fail(source)]
        {
            prop_assert_eq!(Reply::decode(&reply.encode()[4..]), Ok(reply));
        }
    }

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop((Request::decode(&bytes), Reply::decode(&bytes), body_length(&bytes)));
    }
}
