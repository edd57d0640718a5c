// Go's net/http with Redis, spoken to directly; an event is known by its text.
//
// Redis has to run with "appendonly yes" and "appendfsync always": it then responds after it has written, and loses nothing
// that was acknowledged. With "everysec" it may lose the last second.
package main

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"unicode/utf8"
)

// A script is atomic, so nothing is known without being stored.
const storing = `for _, event in ipairs(ARGV) do
	if redis.call('SADD', KEYS[1], event) == 1 then redis.call('RPUSH', KEYS[2], event) end
end`

// Redis is one connection, opened when it is needed.
type Redis struct {
	path       string
	mutex      sync.Mutex
	connection net.Conn
	reader     *bufio.Reader
}

// Call sends a command and returns its reply; an error of Redis leaves the connection usable, any other one closes it.
func (r *Redis) Call(arguments ...[]byte) ([][]byte, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.connection == nil {
		connection, err := net.Dial("unix", r.path)
		if err != nil {
			return nil, err
		}
		r.connection, r.reader = connection, bufio.NewReader(connection)
	}
	command := bytes.NewBufferString(fmt.Sprintf("*%d\r\n", len(arguments)))
	for _, argument := range arguments {
		fmt.Fprintf(command, "$%d\r\n%s\r\n", len(argument), argument)
	}
	_, err := r.connection.Write(command.Bytes())
	var reply [][]byte
	var refused Refused
	if err == nil {
		reply, err = r.reply()
	}
	if err != nil && !errors.As(err, &refused) {
		r.connection.Close()
		r.connection = nil
	}
	return reply, err
}

// Refused is what Redis says of a command that it cannot carry out.
type Refused string

func (r Refused) Error() string { return string(r) }

func (r *Redis) reply() ([][]byte, error) {
	line, err := r.reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '-':
		return nil, Refused(text)
	case '$':
		length, err := strconv.Atoi(text)
		if err != nil || length < 0 {
			return nil, err
		}
		value := make([]byte, length+2)
		_, err = io.ReadFull(r.reader, value)
		return [][]byte{value[:length]}, err
	case '*':
		count, err := strconv.Atoi(text)
		var values [][]byte
		for ; err == nil && count > 0; count-- {
			var one [][]byte
			one, err = r.reply()
			values = append(values, one...)
		}
		return values, err
	}
	return nil, nil
}

func batchOf(body []byte) ([][]byte, error) {
	var batch []json.RawMessage // decoded any further, ids would be rounded
	if !utf8.Valid(body) {
		return nil, errors.New("no UTF-8")
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return nil, err
	}
	events := [][]byte{}
	for _, event := range batch {
		if event[0] != '{' {
			return nil, errors.New("not an event")
		}
		events = append(events, event)
	}
	return events, nil
}

func main() {
	expected := []byte(os.Getenv("CONSUMER_USER") + ":" + os.Getenv("CONSUMER_PASSWORD"))
	redis := &Redis{path: os.Getenv("CONSUMER_STORE")}

	http.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		user, password, _ := r.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(user+":"+password), expected) == 0 {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "wrong credentials", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		events, err := batchOf(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		command := [][]byte{[]byte("EVAL"), []byte(storing), []byte("2"), []byte("known"), []byte("events")}
		if _, err := redis.Call(append(command, events...)...); err != nil {
			http.Error(w, "not stored", http.StatusServiceUnavailable)
		}
	})

	http.HandleFunc("/processed", func(w http.ResponseWriter, r *http.Request) {
		events, err := redis.Call([]byte("LRANGE"), []byte("events"), []byte("0"), []byte("-1"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "[%s]", bytes.Join(events, []byte(",")))
	})

	fd, err := strconv.Atoi(os.Getenv("CONSUMER_FD"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, nil))
}
