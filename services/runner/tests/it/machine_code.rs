//! Makes static programs of a few instructions that issue one system call each, on x86-64.
#![cfg(target_arch = "x86_64")]

use std::path::PathBuf;

use runner::Outcome;

use crate::call::{Ground, program};
use crate::executable::executable;

/// Exit code of a program whose system call succeeded; otherwise it is the error number.
pub(crate) const WORKED: i32 = 200;
const BASE: u64 = 0x40_0000;

/// One system call: number and arguments.
pub(crate) struct Call<'a>(pub(crate) u32, pub(crate) &'a [Value<'a>]);

/// An argument: a number, or the address of bytes in the program.
pub(crate) enum Value<'a> {
    N(u64),
    At(&'a [u8]),
}

/// Writes a program that makes `call` and exits.
pub(crate) fn assemble(ground: &Ground, name: &str, call: &Call<'_>) -> PathBuf {
    let trap = [0x0F, 0x05];
    write(ground, name, &body(call, &trap))
}

/// Does the same through the 32-bit entry point, for a call without arguments.
pub(crate) fn assemble_i386(ground: &Ground, name: &str, number: u32) -> PathBuf {
    write(ground, name, &body(&Call(number, &[]), &[0xCD, 0x80]))
}

/// Runs a program inside the cage.
pub(crate) async fn caged(ground: &Ground, path: &std::path::Path) -> Outcome {
    ground.run(program(path, &[])).await.unwrap().outcome
}

/// Runs a program without a cage.
pub(crate) fn free(path: &std::path::Path) -> Option<i32> {
    std::process::Command::new(path)
        .stdin(std::process::Stdio::null())
        .status()
        .unwrap()
        .code()
}

fn body(call: &Call<'_>, trap: &[u8]) -> Vec<u8> {
    let registers: [[u8; 2]; 6] = [
        [0x48, 0xBF],
        [0x48, 0xBE],
        [0x48, 0xBA],
        [0x49, 0xBA],
        [0x49, 0xB8],
        [0x49, 0xB9],
    ];
    let ending: [u8; 25] = [
        0x85, 0xC0, // test eax, eax
        0x78, 0x07, // js failed
        0xBF, 200, 0, 0, 0, // mov edi, 200
        0xEB, 0x04, // jmp out
        0xF7, 0xD8, // failed: neg eax
        0x89, 0xC7, // mov edi, eax
        0xB8, 231, 0, 0, 0, // out: mov eax, exit_group
        0x0F, 0x05, // syscall
        0x0F, 0x0B, 0x90, // ud2
    ];
    let code_length = call.1.len() * 10 + 5 + trap.len() + ending.len();
    let mut data: Vec<u8> = Vec::new();
    let mut code = Vec::new();
    for (register, value) in registers.iter().zip(call.1) {
        code.extend(register);
        code.extend(match value {
            Value::N(number) => number.to_le_bytes(),
            Value::At(bytes) => {
                let at = BASE + 120 + u64::try_from(code_length + data.len()).unwrap();
                data.extend(*bytes);
                at.to_le_bytes()
            }
        });
    }
    code.push(0xB8);
    code.extend(call.0.to_le_bytes());
    code.extend(trap);
    code.extend(ending);
    assert_eq!(code.len(), code_length);
    code.extend(data);
    code
}

fn write(ground: &Ground, name: &str, code: &[u8]) -> PathBuf {
    let mut elf = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |elf: &mut Vec<u8>, value: u16| elf.extend(value.to_le_bytes());
    half(&mut elf, 2);
    half(&mut elf, 62);
    elf.extend(1_u32.to_le_bytes());
    for value in [BASE + 120, 64, 0] {
        elf.extend(value.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for value in [64, 56, 1, 0, 0, 0] {
        half(&mut elf, value);
    }
    elf.extend(1_u32.to_le_bytes());
    elf.extend(7_u32.to_le_bytes());
    let size = 120 + u64::try_from(code.len()).unwrap();
    for value in [0, BASE, BASE, size, size, 4096] {
        elf.extend(value.to_le_bytes());
    }
    elf.extend(code);
    let path = ground.root.join(name);
    executable(&path, elf);
    path
}
