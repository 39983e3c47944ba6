# Prepares an installer's shell as a person does who starts the image's bash and types
# `conda activate ENVIRONMENT`: $1 is the environment, $2 what to run then.
#
# Run as `bash -i`, so that the image's own .bashrc is read; what bash complains about there, that
# it has no terminal, went nowhere, and the true stderr is descriptor 3. Such a bash says `exit` when
# it does.
exec 2>&3 3>&-
set +m
environment=$1 script=$2

activate() {
    if [ -e "$1/etc/profile.d/conda.sh" ]; then
        . "$1/etc/profile.d/conda.sh"
        conda activate "$environment"
    else
        . "$1/bin/activate" "$environment"
    fi
}

# Where conda may be: where variables and PATH say, then where its installers put it.
of_path=$(type -P conda || type -P mamba)
for folder in "${CONDA_DIR:-}" "${CONDA_ROOT:-}" "${CONDA_EXE%/*/conda}" "${of_path%/*/*}" \
    /opt/*conda* /opt/*forge* /opt/*mamba* /opt/*/*conda* "$HOME"/*conda* "$HOME"/*forge* \
    /root/*conda* /root/*forge* /home/*/*conda* /usr/local/*conda* /usr/lib/*conda* /*conda*; do
    [ -n "$folder" ] || continue
    [ -e "$folder/etc/profile.d/conda.sh" ] || [ -e "$folder/bin/activate" ] || continue
    if [ -d "$folder/envs/$environment" ]; then
        chosen=$folder
        break
    fi
    chosen=${chosen:-$folder}
done

if [ -z "${chosen:-}" ]; then
    echo "wheelmill: no conda in this image; $script runs without an environment"
elif activate "$chosen" || [ "${CONDA_DEFAULT_ENV:-}" = "$environment" ]; then
    echo "wheelmill: conda environment $environment of $chosen"
else
    echo "wheelmill: could not activate the conda environment \`$environment\` of $chosen, which has:" \
        $(ls "$chosen/envs" 2>/dev/null) >&2
    exit 1 2>/dev/null
fi

if [ "$script" = bash ]; then
    exec bash -i
fi
if [ ! -f "$script" ]; then
    echo "wheelmill: this image has no file $script" >&2
    exit 127 2>/dev/null
fi
IFS= read -r first <"$script"
case $first in
*$'\r')
    echo "wheelmill: the lines of $script end as on Windows, which no shell can run" >&2
    exit 126 2>/dev/null
    ;;
esac
if [ -x "$script" ]; then
    exec "$script"
    # Its interpreter is not there, as bash has said.
    exit 126 2>/dev/null
fi
exec "$BASH" "$script"
