# Login shells start with Debian's own PATH; the image's programs come before it.
for folder in "${CUDA_HOME:-/usr/local/cuda}/bin" /opt/kiln/bin; do
  case ":$PATH:" in
    *:"$folder":*) ;;
    *) [ -d "$folder" ] && PATH="$folder:$PATH" ;;
  esac
done
export PATH="$PATH:$HOME/.local/bin"
unset folder
