package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const tokenIssuer = "https://kubernetes.default.svc.cluster.local"

// tokenMain signs a service account's token as the API server would, but also one
// that has expired, which the API itself never hands out.
func tokenMain(args []string) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	dir := flags.String("dir", "", "the rig's folder")
	kubeconfig := flags.String("kubeconfig", "", "an admin's kubeconfig")
	expired := flags.Bool("expired", false, "a token that ended an hour ago")
	if err := flags.Parse(args); err != nil {
		return err
	}
	namespace, name, found := strings.Cut(flags.Arg(0), "/")
	if !found {
		return errors.New("token takes NAMESPACE/SERVICEACCOUNT")
	}
	client, err := newClient(*kubeconfig)
	if err != nil {
		return err
	}
	account, err := client.CoreV1().ServiceAccounts(namespace).Get(
		context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	from := time.Now().Add(-time.Minute)
	if *expired {
		from = from.Add(-2 * time.Hour)
	}
	token, err := signToken(filepath.Join(*dir, "pki", "sa.key"), map[string]any{
		"iss": tokenIssuer, "aud": []string{tokenIssuer},
		"sub": "system:serviceaccount:" + namespace + ":" + name,
		"iat": from.Unix(), "nbf": from.Unix(), "exp": from.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": namespace,
			"serviceaccount": map[string]string{"name": name, "uid": string(account.UID)}},
	})
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

func signToken(keyFile string, claims map[string]any) (string, error) {
	data, err := os.ReadFile(keyFile)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", fmt.Errorf("%s: not PEM", keyFile)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	id, err := keyID(key)
	if err != nil {
		return "", err
	}
	head, err := json.Marshal(map[string]string{"alg": "ES256", "kid": id})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode(head) + "." + encode(body)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature), nil
}

// keyID is how the API server names a key: the hash of its public half.
func keyID(key *ecdsa.PrivateKey) (string, error) {
	raw, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
