"""Go programs on Linux that follow a clock file, by a `time.Now` of their own.

A Go program asks the kernel for the time, and no library in between, so that libfaketime does not lead it. `go build
-overlay` compiles a copy of the package `time` instead, which reads the file.
"""

from __future__ import annotations

import json
from pathlib import Path

from mockcampaign.clocks.led_process import CLOCK_FILE_VARIABLE
from mockcampaign.errors import InvalidInputError
from mockcampaign.whole_files import read_whole, write_whole

_NOW = b"func Now() Time {\n"
_LED_NOW = _NOW + b"\tif led, ok := ledNow(); ok {\n\t\treturn led\n\t}\n"

_LED = """package time

import (
	"syscall"
	"unsafe"
)

var ledClock = func() *byte {
	path, found := syscall.Getenv("VARIABLE")
	if !found {
		return nil
	}
	pointer, _ := syscall.BytePtrFromString(path)
	return pointer
}()

// ledNow returns the time by the clock file. It has no monotonic reading, so that programs compare wall time.
//
// Timers of the runtime call it where no goroutine runs, so that only raw system calls are possible.
func ledNow() (Time, bool) {
	if ledClock == nil {
		return Time{}, false
	}
	const here = ^uintptr(99) // AT_FDCWD
	path := uintptr(unsafe.Pointer(ledClock))
	fd, _, problem := syscall.RawSyscall6(syscall.SYS_OPENAT, here, path, syscall.O_CLOEXEC, 0, 0, 0)
	if problem != 0 {
		return Time{}, false
	}
	var content [64]byte
	count, _, problem := syscall.RawSyscall(
		syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&content[0])), uintptr(len(content)),
	)
	syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	if problem != 0 || count < 2 {
		return Time{}, false
	}
	var milliseconds int64
	for _, digit := range content[1:count] {
		if '0' <= digit && digit <= '9' {
			milliseconds = milliseconds*10 + int64(digit-'0')
		}
	}
	if content[0] == '-' {
		milliseconds = -milliseconds
	}
	sec, nsec, _ := now()
	return Unix(sec+milliseconds/1000, int64(nsec)+milliseconds%1000*1000000), true
}
"""


def write_overlay(folder: Path, goroot: Path) -> Path:
    """Write an overlay for the Go installation at `goroot` to a folder, and return the path for `-overlay`.

    Raises `InvalidInputError` if its package `time` is not as expected, and `OSError` if nothing can be written.
    """
    original = goroot / "src" / "time" / "time.go"
    source = read_whole(original)
    if source.count(_NOW) != 1:
        raise InvalidInputError(f"{original}: has no time.Now as Go 1.19 has it, allowed: another version of Go")
    folder = folder.resolve()
    copies = {
        original: (folder / "time.go", source.replace(_NOW, _LED_NOW)),
        original.with_name("led.go"): (folder / "led.go", _LED.replace("VARIABLE", CLOCK_FILE_VARIABLE).encode()),
    }
    for copy, content in copies.values():
        write_whole(copy, content)
    overlay = folder / "overlay.json"
    replaced = {str(path): str(copy) for path, (copy, _) in copies.items()}
    write_whole(overlay, json.dumps({"Replace": replaced}, indent=2).encode())
    return overlay
