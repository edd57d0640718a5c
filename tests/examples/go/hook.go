// A consumer in Go: POST /hook stores a batch of events in memory, GET /processed returns the stored events.
package hook

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"unicode/utf8"
)

// Hook stores each event once. An event has no id, so its whole text identifies it.
type Hook struct {
	mutex  sync.Mutex
	events []json.RawMessage
	known  map[string]bool
}

func New() http.Handler {
	hook := &Hook{events: []json.RawMessage{}, known: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", hook.receive)
	mux.HandleFunc("/processed", hook.processed)
	return mux
}

func (h *Hook) receive(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	user, password, _ := r.BasicAuth()
	if subtle.ConstantTimeCompare([]byte(user+":"+password), []byte("acme:secret")) == 0 {
		w.Header().Set("WWW-Authenticate", "Basic")
		http.Error(w, "wrong credentials", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	var batch []json.RawMessage // as they came: ids would lose digits as float64
	if err != nil || !utf8.Valid(body) || json.Unmarshal(body, &batch) != nil {
		http.Error(w, "no JSON list", http.StatusBadRequest)
		return
	}
	for _, event := range batch {
		if event[0] != '{' {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, event := range batch {
		if !h.known[string(event)] {
			h.known[string(event)] = true
			h.events = append(h.events, event)
		}
	}
}

func (h *Hook) processed(w http.ResponseWriter, r *http.Request) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(h.events)
}
