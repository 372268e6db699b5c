# All images of team/pytorch at once. Made by `torchkiln render` from kiln.lock.
#
#   docker buildx bake --file docker-bake.hcl
#
# A Python index or a certificate authority of your own goes in as a secret:
#   docker buildx bake --file docker-bake.hcl --set '*.secrets=id=pip_conf,src=/etc/pip.conf'

group "default" {
  targets = ["runtime","jupyter","devel-jupyter-ssh"]
}
target "runtime" {
  context    = "./runtime"
  dockerfile = "Dockerfile"
  tags       = ["team/pytorch:2.8.0-cu128-cudnn9-py311-runtime"]
  platforms  = ["linux/amd64"]
}
target "jupyter" {
  context    = "./jupyter"
  dockerfile = "Dockerfile"
  tags       = ["team/pytorch:2.8.0-cu128-cudnn9-py311-jupyter"]
  platforms  = ["linux/amd64"]
}
target "devel-jupyter-ssh" {
  context    = "./devel-jupyter-ssh"
  dockerfile = "Dockerfile"
  tags       = ["team/pytorch:2.8.0-cu128-cudnn9-py311-devel-jupyter-ssh"]
  platforms  = ["linux/amd64"]
}
