// Command yaml answers what kubectl makes of a manifest text: the decoder of k8s.io/apimachinery over
// sigs.k8s.io/yaml, then numbers as unstructured objects hold them. It writes the table that
// src/manifest/peer_test.c holds our reader against:
//
//	cd tests/yaml && go run . <cases.jsonl >table.jsonl
//
// A case is {"in": TEXT}; "each": true makes four of one scalar (value, list item, flow item, key).
// An answer adds "out": [documents] or "error": true. With -stream, texts come as lines of JSON
// strings and each is answered at once, for comparing at random.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

type entry struct {
	In    string            `json:"in"`
	Each  bool              `json:"each,omitempty"`
	Out   []json.RawMessage `json:"out,omitempty"`
	Error bool              `json:"error,omitempty"`
}

// number is an int64 if the text is one, else a float64 in a form that cannot be taken for an int.
func number(n json.Number) (any, error) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return nil, err
	}
	if b, err := json.Marshal(f); err == nil {
		// What kubectl then sends: 1.0 has become 1.
		if i, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return i, nil
		}
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	if !strings.Contains(text, ".") {
		text = strings.Replace(text, "e", ".0e", 1)
	}
	return json.RawMessage(text), nil
}

func normal(v any) (any, error) {
	var err error
	switch t := v.(type) {
	case json.Number:
		return number(t)
	case []any:
		for i := range t {
			if t[i], err = normal(t[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range t {
			if t[k], err = normal(t[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func answer(text string) ([]json.RawMessage, error) {
	out := []json.RawMessage{}
	d := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		ext := runtime.RawExtension{}
		if err := d.Decode(&ext); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		raw := bytes.TrimSpace(ext.Raw)
		if len(raw) == 0 {
			raw = []byte("null")
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		v, err := normal(v)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
		out = append(out, bytes.TrimSpace(b.Bytes()))
	}
}

func write(w *bufio.Writer, text string) {
	e := entry{In: text}
	out, err := answer(text)
	if err != nil {
		e.Error = true
	} else {
		e.Out = out
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic(err)
	}
	w.Write(b.Bytes())
}

func main() {
	stream := flag.Bool("stream", false, "answer lines of JSON strings, one by one")
	flag.Parse()
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		line := in.Bytes()
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if *stream {
			var text string
			if err := json.Unmarshal(line, &text); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			write(w, text)
			w.Flush()
			continue
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", line, err)
			os.Exit(1)
		}
		if !e.Each {
			write(w, e.In)
			continue
		}
		write(w, "v: "+e.In+"\n")
		write(w, "- "+e.In+"\n")
		write(w, "[a, "+e.In+" ]\n")
		write(w, e.In+": v\n")
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
