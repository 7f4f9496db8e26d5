@echo off
rem Checks the configuration in this folder (what is wrong, where, and what to do)
rem and has the running Roomwire take it over, without a restart. Ends with 0 when
rem it is in force. The window stays open when this was double-clicked;
rem "Config.bat /nopause" never waits.
rem
rem roomwire.exe is searched for beside this folder, named by ROOMWIRE, or found in PATH.
setlocal
chcp 65001 >nul

set "PAUSE_AT_END="
echo %CMDCMDLINE% | find /i "%~0" >nul && set "PAUSE_AT_END=1"
if /i "%~1"=="/nopause" set "PAUSE_AT_END="

rem A path must not end in a backslash before a quote: "C:\x\" would swallow the quote.
set "HERE=%~dp0."

if defined ROOMWIRE goto found
set "ROOMWIRE=%~dp0roomwire.exe"
if exist "%ROOMWIRE%" goto found
set "ROOMWIRE=%~dp0..\roomwire.exe"
if exist "%ROOMWIRE%" goto found
set "ROOMWIRE=%~dp0..\bin\roomwire.exe"
if exist "%ROOMWIRE%" goto found
set "ROOMWIRE="
for %%P in (roomwire.exe) do set "ROOMWIRE=%%~$PATH:P"
if defined ROOMWIRE goto found

echo roomwire.exe was not found beside %HERE% or in PATH.
echo Name it:  set ROOMWIRE=C:\path\to\roomwire.exe
set "CODE=9009"
goto end

:found
echo Applying %HERE%
"%ROOMWIRE%" config apply --config "%HERE%"
set "CODE=%ERRORLEVEL%"
if not "%CODE%"=="0" (
  echo The configuration is not in force: correct what is named above, then run this again.
)

:end
if defined PAUSE_AT_END pause
exit /b %CODE%
