//! Tests that a caged program reaches no socket, other process, outside file or forbidden system call.

use std::os::fd::AsRawFd;
use std::path::Path;

use runner::Outcome;
use rustix::fs::{Mode, OFlags};

use crate::call::{AS_SERVERS, Ground, program, sh, text};

#[cfg(target_arch = "x86_64")]
mod calls {
    use super::{Ground, Outcome};
    use crate::machine_code::Value::{At, N};
    use crate::machine_code::{Call, WORKED, assemble, assemble_i386, caged, free};

    const EPERM: Outcome = Outcome::Failed { code: 1 };

    async fn all_fail(calls: &[(&str, Call<'_>)]) {
        let ground = Ground::new();
        for (name, call) in calls {
            let path = assemble(&ground, name, call);
            assert_eq!(caged(&ground, &path).await, EPERM, "{name}");
        }
    }

    #[tokio::test]
    async fn no_socket_of_any_family_opens() {
        let socket = |family, kind, protocol| (family, kind, protocol);
        for (name, (family, kind, protocol)) in [
            ("inet", socket(2, 1, 0)),
            ("inet6", socket(10, 1, 0)),
            ("udp", socket(2, 2, 0)),
            ("mptcp", socket(2, 1, 262)),
            ("sctp", socket(2, 1, 132)),
            ("ping", socket(2, 2, 1)),
            ("raw", socket(2, 3, 1)),
            ("unix-stream", socket(1, 1, 0)),
            ("unix-datagram", socket(1, 2, 0)),
            ("netlink", socket(16, 3, 0)),
            ("packet", socket(17, 3, 0)),
            ("alg", socket(38, 5, 0)),
            ("vsock", socket(40, 1, 0)),
        ] {
            all_fail(&[(name, Call(41, &[N(family), N(kind), N(protocol)]))]).await;
        }
        all_fail(&[
            (
                "pair-of-datagrams",
                Call(53, &[N(1), N(2), N(0), At(&[0; 8])]),
            ),
            (
                "pair-of-packets",
                Call(53, &[N(1), N(5), N(0), At(&[0; 8])]),
            ),
            ("pair-of-tipc", Call(53, &[N(30), N(1), N(0), At(&[0; 8])])),
            ("connect", Call(42, &[N(0), At(&[0; 16]), N(16)])),
            ("bind", Call(49, &[N(0), At(&[0; 16]), N(16)])),
            ("listen", Call(50, &[N(0), N(1)])),
            ("accept4", Call(288, &[N(0), N(0), N(0), N(0)])),
            (
                "sendto-fastopen",
                Call(44, &[N(0), At(b"x"), N(1), N(0x2000_0000), N(0), N(0)]),
            ),
            (
                "sendto-address",
                Call(44, &[N(0), At(b"x"), N(1), N(0), At(&[0; 16]), N(16)]),
            ),
            (
                "sendto-out-of-band",
                Call(44, &[N(0), At(b"x"), N(1), N(1), N(0), N(0)]),
            ),
            (
                "recvfrom-out-of-band",
                Call(45, &[N(0), At(&[0; 1]), N(1), N(1), N(0), N(0)]),
            ),
            ("sendmsg", Call(46, &[N(0), At(&[0; 56]), N(0)])),
            ("recvmsg", Call(47, &[N(0), At(&[0; 56]), N(0)])),
            ("io-uring", Call(425, &[N(1), At(&[0; 120])])),
        ])
        .await;
    }

    #[tokio::test]
    async fn calls_that_reach_other_processes_or_the_kernel_fail() {
        all_fail(&[
            ("memfd-create", Call(319, &[At(b"x\0"), N(1)])),
            (
                "execveat",
                Call(322, &[N(0), At(b"\0"), N(0), N(0), N(0x1000)]),
            ),
            ("ptrace", Call(101, &[N(0), N(0), N(0), N(0)])),
            (
                "process-vm-readv",
                Call(310, &[N(1), N(0), N(0), N(0), N(0), N(0)]),
            ),
            (
                "process-vm-writev",
                Call(311, &[N(1), N(0), N(0), N(0), N(0), N(0)]),
            ),
            (
                "process-madvise",
                Call(440, &[N(1), N(0), N(0), N(0), N(0)]),
            ),
            ("pidfd-open", Call(434, &[N(1), N(0)])),
            ("pidfd-getfd", Call(438, &[N(0), N(0), N(0)])),
            ("kcmp", Call(312, &[N(1), N(1), N(0), N(0), N(0)])),
            ("keyctl", Call(250, &[N(0), N(0)])),
            (
                "add-key",
                Call(248, &[At(b"user\0"), At(b"x\0"), At(b"y"), N(1), N(0)]),
            ),
            ("userfaultfd", Call(323, &[N(0)])),
            ("bpf", Call(321, &[N(0), N(0), N(0)])),
            ("perf", Call(298, &[N(0), N(0), N(0), N(0), N(0)])),
            ("seccomp", Call(317, &[N(1), N(0), N(0)])),
            ("prctl-seccomp", Call(157, &[N(22), N(2), N(0)])),
            ("prctl-subreaper", Call(157, &[N(36), N(1), N(0)])),
            ("landlock", Call(444, &[N(0), N(0), N(1)])),
            ("tiocsti", Call(16, &[N(0), N(0x5412), At(b"x")])),
            ("setpriority", Call(141, &[N(0), N(1), N(10)])),
            ("prlimit-of-parent", Call(302, &[N(1), N(7), N(0), N(0)])),
            ("affinity-of-parent", Call(204, &[N(1), N(8), At(&[0; 8])])),
            ("shmget", Call(29, &[N(0), N(4096), N(0o1600)])),
            ("msgget", Call(68, &[N(0), N(0o1600)])),
            (
                "mq-open",
                Call(240, &[At(b"x\0"), N(0o100), N(0o600), N(0)]),
            ),
        ])
        .await;
    }

    #[tokio::test]
    async fn calls_that_change_namespaces_or_file_attributes_fail() {
        all_fail(&[
            (
                "mount",
                Call(165, &[At(b"a\0"), At(b"/\0"), At(b"tmpfs\0"), N(0), N(0)]),
            ),
            ("open-tree", Call(428, &[N(0), At(b"/\0"), N(0)])),
            (
                "move-mount",
                Call(429, &[N(0), At(b"\0"), N(0), At(b"/\0"), N(0)]),
            ),
            ("fsopen", Call(430, &[At(b"tmpfs\0"), N(0)])),
            (
                "mount-setattr",
                Call(442, &[N(0), At(b"/\0"), N(0), N(0), N(0)]),
            ),
            ("unshare-user", Call(272, &[N(0x1000_0000)])),
            (
                "clone-user",
                Call(56, &[N(0x1000_0011), N(0), N(0), N(0), N(0)]),
            ),
            (
                "clone-parent",
                Call(56, &[N(0x8011), N(0), N(0), N(0), N(0)]),
            ),
            ("setns", Call(308, &[N(0), N(0)])),
            ("chroot", Call(161, &[At(b".\0")])),
            ("pivot-root", Call(155, &[At(b".\0"), At(b".\0")])),
            ("chown", Call(92, &[At(b".\0"), N(0), N(0)])),
            ("symlink", Call(88, &[At(b"/etc\0"), At(b"link\0")])),
            ("mknod", Call(133, &[At(b"fifo\0"), N(0o010_644), N(0)])),
            ("open-by-handle", Call(304, &[N(0), N(0), N(0)])),
            ("fanotify", Call(300, &[N(0), N(0)])),
        ])
        .await;
    }

    #[tokio::test]
    async fn the_same_programs_work_without_a_cage() {
        let ground = Ground::new();
        for (name, call) in [
            ("inet", Call(41, &[N(2), N(1), N(0)])),
            ("unix", Call(41, &[N(1), N(2), N(0)])),
            ("pair", Call(53, &[N(1), N(2), N(0), At(&[0; 8])])),
            ("memfd", Call(319, &[At(b"x\0"), N(1)])),
            ("pidfd-open", Call(434, &[N(1), N(0)])),
            ("ptrace-me", Call(101, &[N(0), N(0), N(0), N(0)])),
        ] {
            assert_eq!(
                free(&assemble(&ground, name, &call)),
                Some(WORKED),
                "{name}"
            );
        }
        let getpid = assemble(&ground, "getpid", &Call(39, &[]));
        assert_eq!(
            caged(&ground, &getpid).await,
            Outcome::Failed { code: WORKED }
        );
    }

    #[tokio::test]
    async fn foreign_call_tables_kill_and_clone3_is_unknown() {
        let ground = Ground::new();
        let i386 = assemble_i386(&ground, "i386", 20);
        assert_eq!(caged(&ground, &i386).await, Outcome::Killed { signal: 31 });
        let x32 = assemble(&ground, "x32", &Call(0x4000_0027, &[]));
        assert_eq!(caged(&ground, &x32).await, Outcome::Killed { signal: 31 });
        let clone3 = assemble(&ground, "clone3", &Call(435, &[N(0), N(0)]));
        assert_eq!(caged(&ground, &clone3).await, Outcome::Failed { code: 38 });
        let timer = assemble(&ground, "timer-create", &Call(222, &[N(0), N(0), N(0)]));
        assert_eq!(caged(&ground, &timer).await, Outcome::Failed { code: 38 });
    }

    #[tokio::test]
    async fn extended_attributes_are_unsupported_and_a_path_sets_neither_mode_nor_time() {
        let ground = Ground::new();
        let set = [At(b".\0"), At(b"user.a\0"), At(b"b"), N(1), N(0)];
        let set = assemble(&ground, "setxattr", &Call(188, &set));
        assert_eq!(caged(&ground, &set).await, Outcome::Failed { code: 95 });
        let get = [At(b".\0"), At(b"user.a\0"), At(&[0; 8]), N(8)];
        let get = assemble(&ground, "getxattr", &Call(191, &get));
        assert_eq!(caged(&ground, &get).await, Outcome::Failed { code: 95 });
        let before = std::fs::metadata(&ground.workspace).unwrap();
        // Two times of one second after 1970.
        let times = [1_u64, 0, 1, 0].map(u64::to_le_bytes).concat();
        for (name, call) in [
            ("chmod", Call(90, &[At(b".\0"), N(0o777)])),
            (
                "fchmodat",
                Call(268, &[N(0xFFFF_FF9C), At(b".\0"), N(0o777)]),
            ),
            (
                "fchmodat2",
                Call(452, &[N(0xFFFF_FF9C), At(b".\0"), N(0o777), N(0)]),
            ),
            (
                "utimensat",
                Call(280, &[N(0xFFFF_FF9C), At(b".\0"), At(&times), N(0)]),
            ),
            ("utimes", Call(235, &[At(b".\0"), At(&times)])),
            ("utime", Call(132, &[At(b".\0"), At(&times)])),
        ] {
            let path = assemble(&ground, name, &call);
            assert_eq!(
                caged(&ground, &path).await,
                Outcome::Failed { code: WORKED }
            );
            let after = std::fs::metadata(&ground.workspace).unwrap();
            assert_eq!(after.modified().unwrap(), before.modified().unwrap());
            assert_eq!(after.permissions(), before.permissions());
            // A tool that writes nothing is told so.
            let mut entry = crate::call::program(&path, &[]);
            entry.writable = false;
            assert_eq!(ground.run(entry).await.unwrap().outcome, EPERM, "{name}");
        }
    }

    #[tokio::test]
    async fn a_program_in_the_workspace_does_not_execute() {
        let ground = Ground::new();
        let program = assemble(&ground, "free", &Call(39, &[]));
        let copy = std::fs::read(program).unwrap();
        crate::executable::executable(&ground.workspace.join("copy"), copy);
        let ran = ground
            .sh("./copy; echo $?; cp copy \"$TMPDIR/copy\"; \"$TMPDIR/copy\"; echo $?")
            .await;
        assert_eq!(super::text(&ran), "126\n126\n", "{ran:?}");
    }

    #[tokio::test]
    async fn an_inherited_descriptor_is_closed() {
        use super::{AsRawFd, Mode, OFlags};
        let ground = Ground::new();
        let secret = ground.root.join("secret");
        std::fs::write(&secret, "key").unwrap();
        let leaked = rustix::fs::open(&secret, OFlags::RDONLY, Mode::empty()).unwrap();
        let number = u64::try_from(leaked.as_raw_fd()).unwrap();
        let probe = assemble(&ground, "getfd", &Call(72, &[N(number), N(1), N(0)]));
        let ebadf = Outcome::Failed { code: 9 };
        assert_eq!(caged(&ground, &probe).await, ebadf);
        for number in 3..20 {
            let probe = assemble(
                &ground,
                &format!("getfd{number}"),
                &Call(72, &[N(number), N(1)]),
            );
            assert_eq!(caged(&ground, &probe).await, ebadf, "{number}");
        }
    }
}

#[tokio::test]
async fn files_outside_cannot_be_read_or_written() {
    let ground = Ground::new();
    std::fs::write(ground.root.join("key"), "secret").unwrap();
    let outside = ground.root.display();
    let ran = ground
        .sh(&format!(
            "cat {outside}/key ../key /etc/passwd /proc/$PPID/environ /proc/self/environ /proc/1/maps; \
             echo x > {outside}/new; echo x > ../new; echo x > /tmp/runner-it-new; \
             ln -s {outside}/key link; ln {outside}/key hard; ls /; ls {outside}; ls /proc; echo end"
        ))
        .await;
    assert_eq!(text(&ran), "end\n", "{ran:?}");
    for path in [
        ground.root.join("new"),
        "/tmp/runner-it-new".into(),
        ground.workspace.join("link"),
    ] {
        assert!(std::fs::symlink_metadata(&path).is_err(), "{path:?}");
    }
    assert!(!ground.workspace.join("hard").exists());
}

#[tokio::test]
async fn a_link_that_stands_in_the_workspace_leads_nowhere() {
    let ground = Ground::new();
    std::fs::write(ground.root.join("key"), "secret").unwrap();
    std::os::unix::fs::symlink("../key", ground.workspace.join("link")).unwrap();
    std::os::unix::fs::symlink("/proc/self/root", ground.workspace.join("root")).unwrap();
    let ran = ground
        .sh("cat link root/etc/passwd; echo x > link; echo end")
        .await;
    assert_eq!(text(&ran), "end\n", "{ran:?}");
    assert_eq!(std::fs::read(ground.root.join("key")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_tool_writes_the_workspace_only_if_it_is_declared_writable() {
    let ground = Ground::new();
    let script = "echo a > file && mkdir folder && mv file folder/file && cat folder/file";
    let mut tool = sh(script);
    tool.writable = false;
    let refused = ground.run(tool).await.unwrap();
    assert!(
        matches!(refused.outcome, Outcome::Failed { .. }),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_dir(&ground.workspace).unwrap().count(), 0);
    assert_eq!(text(&ground.sh(script).await), "a\n");
}

#[tokio::test]
async fn other_processes_cannot_be_signalled() {
    let ground = Ground::new();
    let me = std::process::id();
    // A server is in the same cage as its children.
    let served = std::env::var_os(AS_SERVERS).is_some();
    let parent = if served {
        me.to_string()
    } else {
        "$PPID".to_owned()
    };
    let ran = ground
        .sh(&format!(
            "kill -0 {parent}; echo $?; kill -0 {me}; echo $?; kill -0 1; echo $?"
        ))
        .await;
    assert_eq!(text(&ran), "1\n1\n1\n", "{ran:?}");
}

#[tokio::test]
async fn the_environment_holds_six_names() {
    let ground = Ground::new();
    let ran = ground.run(program(Path::new("env"), &[])).await.unwrap();
    let mut lines: Vec<String> = text(&ran).lines().map(str::to_owned).collect();
    lines.sort();
    let names: Vec<&str> = lines
        .iter()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    let six = [
        "GIT_CONFIG_NOSYSTEM",
        "HOME",
        "LANG",
        "OPENSSL_CONF",
        "PATH",
        "TMPDIR",
    ];
    assert_eq!(names, six);
    assert!(lines[1].starts_with(&format!("HOME={}/call-", ground.scratch.display())));
    assert_eq!(
        [&lines[0], &lines[2], &lines[3], &lines[4]],
        [
            "GIT_CONFIG_NOSYSTEM=1",
            "LANG=C.UTF-8",
            "OPENSSL_CONF=/dev/null",
            "PATH=/usr/local/bin:/usr/bin:/bin"
        ]
    );
}

#[tokio::test]
async fn the_temporary_directory_is_private_and_goes_with_the_call() {
    let ground = Ground::new();
    let ran = ground
        .sh("echo a > \"$TMPDIR/a\" && mkdir -p \"$TMPDIR/b/c\" && cat \"$TMPDIR/a\" && ls ..; ls \"$TMPDIR/..\"")
        .await;
    assert_eq!(text(&ran), "a\n", "{ran:?}");
    assert_eq!(std::fs::read_dir(&ground.scratch).unwrap().count(), 0);
}
