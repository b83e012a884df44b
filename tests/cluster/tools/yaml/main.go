// Reads documents on stdin, each after its length in 4 bytes, and answers each in the same frame with a JSON object:
// what kubectl makes of it, document by document, and the error at which it stops.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/util/yaml"
)

type answer struct {
	Documents []json.RawMessage `json:"documents"`
	Error     string            `json:"error,omitempty"`
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		text := make([]byte, length)
		if _, err := io.ReadFull(in, text); err != nil {
			log.Fatal(err)
		}
		if err := write(out, read(text)); err != nil {
			log.Fatal(err)
		}
	}
}

// The loop of kubectl's StreamVisitor.
func read(text []byte) answer {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	found := answer{Documents: []json.RawMessage{}}
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); err == io.EOF {
			return found
		} else if err != nil {
			found.Error = err.Error()
			return found
		}
		document = bytes.TrimSpace(document)
		if len(document) > 0 && !bytes.Equal(document, []byte("null")) {
			found.Documents = append(found.Documents, document)
		}
	}
}

func write(out *bufio.Writer, found answer) error {
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	if err := binary.Write(out, binary.BigEndian, uint32(len(text))); err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	return out.Flush()
}
