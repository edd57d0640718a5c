// A consumer in Go that looks at the clock: `hook PORT`; GET /bug/NAME gives it a bug.
// Without net/http, it is compiled several times as fast.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const day = 24 * time.Hour

var (
	bug    string
	lock   sync.Mutex
	seen   = map[string]time.Time{}
	stored = []json.RawMessage{}
)

func process(events []json.RawMessage) {
	kept, ok := map[string]time.Duration{"keys-an-hour": time.Hour, "keys-a-day": day}[bug]
	if !ok {
		kept = 4 * day
	}
	lock.Lock()
	defer lock.Unlock()
	now := time.Now()
	for key, at := range seen {
		if now.Sub(at) > kept {
			delete(seen, key)
		}
	}
	for _, event := range events {
		var known struct{ Created int64 }
		json.Unmarshal(event, &known)
		_, found := seen[string(event)]
		if found || (bug == "drops-by-clock" && time.Since(time.UnixMilli(known.Created)) > day) {
			continue
		}
		seen[string(event)] = now
		stored = append(stored, event)
	}
}

func become(name string) {
	lock.Lock()
	defer lock.Unlock()
	bug, seen, stored = name, map[string]time.Time{}, []json.RawMessage{}
}

// Go reads the monotonic clock for its timers, and shows it to nobody.
func monotonic() float64 {
	var at syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return float64(at.Nano()) / 1e9
}

func readings() any {
	began := monotonic()
	time.Sleep(50 * time.Millisecond)
	<-time.After(50 * time.Millisecond)
	wall, now := float64(time.Now().UnixMilli())/1000, monotonic()
	return map[string]float64{"wall": wall, "monotonic": now, "timer": now - began}
}

func respond(method, path string, body []byte) (int, any) {
	if method == "GET" {
		if path == "/clock" {
			return 200, readings()
		}
		if strings.HasPrefix(path, "/bug/") {
			become(strings.TrimPrefix(path, "/bug/"))
		}
		lock.Lock()
		defer lock.Unlock()
		return 200, append([]json.RawMessage{}, stored...)
	}
	var events []json.RawMessage
	if json.Unmarshal(body, &events) != nil {
		return 400, nil
	}
	process(events)
	return 200, nil
}

func serve(client net.Conn) {
	defer client.Close()
	reader := bufio.NewReader(client)
	for {
		line, err := reader.ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) < 2 {
			return
		}
		length := 0
		for line != "\r\n" {
			line, err = reader.ReadString('\n')
			if err != nil {
				return
			}
			name, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(name, "Content-Length") {
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(reader, body); err != nil {
			return
		}
		status, value := respond(words[0], words[1], body)
		text, _ := json.Marshal(value)
		fmt.Fprintf(client, "HTTP/1.1 %d -\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go serve(client)
	}
}
