// Command kstatus prints what the status library of cli-utils says of each fixture of tests/explain,
// one line each: FOLDER/FILE STATUS MESSAGE. tests/kstatus/run holds our verdicts against it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

func judge(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return "", err
	}
	// UnmarshalJSON makes int64 of whole numbers, which the library insists on.
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(asJSON); err != nil {
		return "", err
	}
	result, err := status.Compute(&object)
	if err != nil {
		return "Error " + err.Error(), nil
	}
	return result.Status.String() + " " + result.Message, nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kstatus FIXTURES")
		os.Exit(2)
	}
	paths, err := filepath.Glob(filepath.Join(os.Args[1], "*", "*.yaml"))
	if err != nil || len(paths) == 0 {
		fmt.Fprintf(os.Stderr, "kstatus: no fixtures in %s\n", os.Args[1])
		os.Exit(1)
	}
	for _, path := range paths {
		line, err := judge(path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "kstatus: %s: %v\n", path, err)
			os.Exit(1)
		}
		folder := filepath.Base(filepath.Dir(path))
		fmt.Println(folder+"/"+filepath.Base(path), strings.Join(strings.Fields(line), " "))
	}
}
