-- Before Quarto reads its own syntax (`at: pre-ast`). HTML: a callout that folds is a <details>, which
-- opens by keyboard, in print and without a script; Quarto's own needs a mouse. PDF: callouts and
-- boxes are set here, because Quarto's callouts have Typst download a package of icons.

local KINDS = { note = "Note", tip = "Tip", warning = "Warning", important = "Important",
  caution = "Caution" }
local COLOURS = { note = "005a8d", tip = "1a7f37", warning = "9a6700", important = "b3161f",
  caution = "b34700", answer = "005a8d" }
local is_pdf = FORMAT:match("typst") ~= nil

local function kind_of(div)
  for _, class in ipairs(div.classes) do
    local kind = class:match("^callout%-(%a+)$")
    if KINDS[kind or ""] then
      return kind
    end
  end
end

-- As Quarto: the attribute, else a heading that opens the callout, else the kind's name.
local function take_title(div, kind)
  local title, first = div.attributes.title, div.content[1]
  if title and title ~= "" then
    return pandoc.utils.blocks_to_inlines(pandoc.read(title, "markdown").blocks)
  elseif first and first.t == "Header" then
    div.content:remove(1)
    return first.content
  end
  return pandoc.Inlines({ pandoc.Str(KINDS[kind]) })
end

local function folded(div, kind)
  local id = div.identifier ~= "" and ' id="' .. div.identifier .. '"' or ""
  local open = div.attributes.collapse == "false" and " open" or ""
  local title = take_title(div, kind)
  title:insert(1, pandoc.RawInline("html", "<summary>"))
  title:insert(pandoc.RawInline("html", "</summary>"))
  return {
    pandoc.RawBlock("html", "<details" .. id .. ' class="fold fold-' .. kind .. '"' .. open .. ">"),
    pandoc.Plain(title),
    pandoc.Div(div.content, pandoc.Attr("", { "fold-body" })),
    pandoc.RawBlock("html", "</details>"),
  }
end

local function boxed(content, colour)
  local blocks = pandoc.Blocks({ pandoc.RawBlock("typst", '#block(width: 100%, inset: (x: 10pt, '
    .. 'y: 8pt), fill: rgb("#f6f8fa"), stroke: (left: 2.5pt + rgb("#' .. colour .. '")))[') })
  blocks:extend(content)
  blocks:insert(pandoc.RawBlock("typst", "]"))
  return blocks
end

local function small(content)
  local blocks = pandoc.Blocks({ pandoc.RawBlock("typst", "#block[#set text(size: 0.88em)") })
  blocks:extend(content)
  blocks:insert(pandoc.RawBlock("typst", "]"))
  return blocks
end

function Div(div)
  local kind = kind_of(div)
  if not is_pdf then
    return kind and div.attributes.collapse and folded(div, kind) or nil
  elseif kind and div.classes:includes("details") then
    return div.content
  elseif kind then
    local title = pandoc.Para({ pandoc.Strong(take_title(div, kind)) })
    local content = pandoc.Blocks({ title })
    content:extend(div.content)
    return boxed(content, COLOURS[kind])
  elseif div.classes:includes("answer") then
    return boxed(div.content, COLOURS.answer)
  elseif div.classes:includes("methods-note") or div.classes:includes("data-link") then
    return small(div.content)
  end
end
